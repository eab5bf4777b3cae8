"""TODO sdstream/air."""
