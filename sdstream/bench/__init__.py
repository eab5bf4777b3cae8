"""TODO sdstream/bench."""
