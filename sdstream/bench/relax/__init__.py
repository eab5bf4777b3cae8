"""TODO sdstream/bench/relax."""
