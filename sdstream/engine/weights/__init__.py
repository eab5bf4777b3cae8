"""TODO sdstream/engine/weights."""
