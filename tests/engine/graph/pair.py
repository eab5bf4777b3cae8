"""Two engines on the same show: networks one after the other, and the frame as a function over fixed buffers."""

from contextlib import ExitStack
from pathlib import Path
from typing import Self

import numpy as np

from sdstream.controls import Controls
from sdstream.engine.graph.batch import GraphBatch
from sdstream.engine.graph.batches import GraphBatches
from sdstream.frame import Pixels
from tests.engine.pixel_engine import Clock, PixelEngine, settings

STEPS = {1: (30,), 2: (32, 45), 4: (10, 20, 30, 40)}
MODES = ("none", "full", "self_negative", "onetime_negative")


class Pair:
    """Gives every picture to both engines; the results differ by one level of 255 at most."""

    def __init__(self, folder: Path, **more: object) -> None:
        self._clock = Clock()
        self.eager = PixelEngine(settings(folder, **more), self._clock)
        self.graph = PixelEngine(settings(folder, acceleration="graph", **more), self._clock)
        self._open = ExitStack()

    def __enter__(self) -> Self:
        self._open.enter_context(self.eager)
        self._open.enter_context(self.graph)
        return self

    def __exit__(self, *exc: object) -> None:
        self._open.close()

    def __call__(self, pixels: Pixels, controls: Controls) -> Pixels | None:
        self._clock.now += 1 / 30
        expected, found = self.eager(pixels, controls), self.graph(pixels, controls)
        assert (expected is None) == (found is None)
        assert self.eager.outcome == self.graph.outcome
        if expected is not None and found is not None:
            assert difference(expected, found) <= 1
        return None if found is None else found.copy()

    def flush(self) -> list[Pixels]:
        expected, found = self.eager.flush(), self.graph.flush()
        assert len(expected) == len(found)
        assert all(difference(a, b) <= 1 for a, b in zip(expected, found, strict=True))
        return [pixels.copy() for pixels in found]

    @property
    def batches(self) -> GraphBatches:
        """The recorded frames of the second engine."""
        batches = self.graph.session._batches
        assert isinstance(batches, GraphBatches)
        return batches

    @property
    def batch(self) -> GraphBatch:
        """The frames in flight of the second engine."""
        batch = self.graph.session.batch
        assert isinstance(batch, GraphBatch)
        return batch


def difference(a: Pixels, b: Pixels) -> int:
    """Return the largest difference between two pictures, in levels."""
    return int(np.abs(a.astype(int) - b).max())


def scene(seed: int) -> Pixels:
    """Return a picture of a single scene: a random picture would be a cut."""
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[:32] = 190
    return picture + np.random.default_rng(seed).integers(0, 60, picture.shape, dtype=np.uint8)
