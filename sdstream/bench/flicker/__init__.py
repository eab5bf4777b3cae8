"""TODO sdstream/bench/flicker."""
