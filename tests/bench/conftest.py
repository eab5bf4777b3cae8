"""The tiny model of the engine's tests, for benchmarks of it."""

from tests.engine.conftest import _one_thread, tiny_model

__all__ = ["_one_thread", "tiny_model"]
