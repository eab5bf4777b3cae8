"""TODO sdstream/stages."""
