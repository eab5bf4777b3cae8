"""The tiny model of the engine's tests, for stages that run an engine."""

from tests.engine.tiny_model_fixtures import tiny_model

__all__ = ["tiny_model"]
