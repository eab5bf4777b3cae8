"""What the machine offers: NDI runtime, video devices, TLS authorities, listening sockets."""
