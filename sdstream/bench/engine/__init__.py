"""TODO sdstream/bench/engine."""
