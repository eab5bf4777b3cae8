"""What is printed from the settings: the configuration with all defaults, and the reference page."""
