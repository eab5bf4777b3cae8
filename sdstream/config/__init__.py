"""What a run is made of: the schema of the YAML file, and how a file becomes settings."""
