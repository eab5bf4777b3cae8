"""The tiny model of the engine's tests, for benchmarks of it."""

from tests.engine.tiny_model_fixtures import one_thread, tiny_model

__all__ = ["one_thread", "tiny_model"]
