"""TODO sdstream/engine/adapters."""
