"""An engine from pixels to pixels, with pictures, settings and a clock for tests."""

import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Self

import numpy as np

from sdstream.bench.engine.counting_unet import CountingUNet
from sdstream.config.engine import DiffusionSettings
from sdstream.controls import Controls
from sdstream.engine import Outcome, Restyled
from sdstream.engine.diffusion import DiffusionEngine
from sdstream.frame import Frame, Pixels
from sdstream.system.user_folders import cache_folder

ALWAYS = {"similarity": {"mode": "off"}}


def picture(seed: int, size: tuple[int, int] = (64, 64)) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class PixelEngine:
    """A real engine; each picture goes in as the next frame of one source, and the restyled pixels come out."""

    def __init__(
        self,
        settings: DiffusionSettings,
        clock: Callable[[], float] = time.monotonic,
        canvas: tuple[int, int] = (1, 1),
    ) -> None:
        self._engine = DiffusionEngine(settings, canvas, cache_folder(), clock)
        self._calls = 0
        self.last: Restyled | None = None

    def __enter__(self) -> Self:
        self._engine.__enter__()
        self.session = self._engine._open
        self.session.unet = self._counting = CountingUNet(self.session.unet)
        return self

    def __exit__(self, *exc: object) -> None:
        self._engine.__exit__(*exc)

    def __call__(self, pixels: Pixels, controls: Controls) -> Pixels | None:
        self._calls += 1
        self.last = self._engine(Frame(pixels, self._calls, self._calls / 30, self._calls / 30), controls)
        return None if self.last is None else self.last.pixels

    def flush(self) -> list[Pixels]:
        return [restyled.pixels for restyled in self._engine.flush()]

    def reset(self) -> None:
        self._engine.reset()

    @property
    def rows(self) -> int:
        """U-Net rows run so far."""
        return self._counting.rows

    @property
    def outcome(self) -> Outcome:
        """What became of the last call."""
        return Outcome.FILLING if self.last is None else self.last.outcome

    @property
    def age(self) -> int:
        """How many calls before the last call the returned frame came in."""
        assert self.last is not None
        return self._calls - self.last.seq


def settings(folder: Path, **more: object) -> DiffusionSettings:
    plain = {"width": 64, "height": 64, "device": "cpu", "acceleration": "eager", "dtype": "float32"}
    return DiffusionSettings.model_validate({"model": str(folder), **plain, **more})


def alone(folder: Path, frame: Pixels, controls: Controls) -> Pixels:
    """What one frame becomes with nothing before or after it."""
    with PixelEngine(settings(folder, batching=False)) as engine:
        result = engine(frame, controls)
    assert result is not None
    return result


def assert_alike(a: Pixels | None, b: Pixels | None) -> None:
    assert a is not None
    assert b is not None
    assert int(np.abs(a.astype(int) - b.astype(int)).max()) <= 1  # a rounding of one level


def assert_each_alike(ours: Sequence[Pixels | None], theirs: Sequence[Pixels | None]) -> None:
    """Hold each picture of `ours` against the picture of `theirs` at the same place."""
    for a, b in zip(ours, theirs, strict=True):
        assert_alike(a, b)


def feed(engine: PixelEngine, pictures: Iterable[Pixels], controls: Controls) -> list[Pixels | None]:
    """Give the engine the pictures one after the other, and return what came out of each call."""
    return [engine(pixels, controls) for pixels in pictures]
