"""TODO sdstream/engine/eager."""
