"""TODO sdstream/supervisor."""
