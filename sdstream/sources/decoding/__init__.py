"""TODO sdstream/sources/decoding."""
