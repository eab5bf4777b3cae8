"""Changes of a running show: patches of controls by name, and the effect of each further setting."""
