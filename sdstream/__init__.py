"""A headless daemon that restyles live video."""

__version__ = "0.1.0"
