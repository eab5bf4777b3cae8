"""What the name of a model may mean, before any file is opened: a bundled model, or a file that is refused."""

from pathlib import Path

BUNDLED = Path(__file__).parents[1] / "models"
"""Folder of the models bundled with sdstream."""

PICKLES = (".bin", ".ckpt", ".pt", ".pth", ".pkl", ".pickle")
"""Suffixes of files that may hold programs; such a file is never opened."""
