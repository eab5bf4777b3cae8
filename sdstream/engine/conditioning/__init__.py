"""TODO sdstream/engine/conditioning."""
