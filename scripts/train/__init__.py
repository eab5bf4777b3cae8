"""Trains the bundled model `mini`: pictures and looks in, a folder in diffusers layout out."""
