"""Trains the bundled model `mini` on pictures and looks; the result is a folder in diffusers layout."""
