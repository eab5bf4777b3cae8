"""Pictures, settings and a clock for tests that play an engine."""

from pathlib import Path

import numpy as np

from sdstream.config.engine import DiffusionSettings
from sdstream.controls import Controls
from sdstream.engine.diffusion import DiffusionEngine
from sdstream.frame import Pixels

ALWAYS = {"similarity": {"mode": "off"}}


def picture(seed: int, size: tuple[int, int] = (64, 64)) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def settings(folder: Path, **more: object) -> DiffusionSettings:
    plain = {"width": 64, "height": 64, "device": "cpu", "acceleration": "eager", "dtype": "float32"}
    return DiffusionSettings.model_validate({"model": str(folder), **plain, **more})


def alone(folder: Path, frame: Pixels, controls: Controls) -> Pixels:
    """What one frame becomes with nothing before or after it."""
    with DiffusionEngine(settings(folder, batching=False)) as engine:
        result = engine(frame, controls)
    assert result is not None
    return result


def assert_alike(a: Pixels | None, b: Pixels | None) -> None:
    assert a is not None
    assert b is not None
    assert int(np.abs(a.astype(int) - b.astype(int)).max()) <= 1  # a rounding of one level
