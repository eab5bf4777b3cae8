"""TODO sdstream/ipc."""
