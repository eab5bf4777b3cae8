"""TODO sdstream/system."""
