"""The body of the engine's process: newest camera frame in, restyled frame out, with the controls of that moment."""

import time
from collections import deque
from dataclasses import dataclass, replace
from typing import Protocol, Self

import cv2
import numpy as np

from sdstream.config.schema import AnyEngine, Canvas, PassthroughSettings
from sdstream.controls import TIMESTEPS, Controls
from sdstream.engine.outcome import Outcome
from sdstream.frame import Frame, Pixels
from sdstream.live_controls import LiveControls
from sdstream.log import get_logger
from sdstream.mailbox import MailboxReader, MailboxWriter
from sdstream.stage import Context
from sdstream.stats import Counters, Histogram

COUNTERS = ("frames", *(outcome.value for outcome in Outcome), "dropped", "first_at", "last_at")
"""`frames` came in, and each had one of the outcomes; `dropped` were replaced by newer ones before the engine was
free. `first_at` and `last_at`: monotonic seconds of the first and the last new picture."""


class Engine(Protocol):
    """An image-to-image stage, opened by `with`."""

    @property
    def last_outcome(self) -> Outcome:
        """What became of the last call."""
        ...

    @property
    def last_age(self) -> int:
        """How many calls ago the frame of the last returned picture came in; 0 is that very call."""
        ...

    def __enter__(self) -> Self:
        """Load it. Raises Unavailable when a model or runtime is missing or broken."""
        ...

    def __exit__(self, *exc: object) -> None:
        """Free it; closing twice is harmless."""
        ...

    def __call__(self, frame: Pixels, controls: Controls) -> Pixels | None:
        """Take one picture; return a finished one of any size (maybe an earlier frame's), or None."""
        ...


@dataclass(frozen=True)
class EnginePorts:
    """What the engine's process is given."""

    camera: MailboxReader
    output: MailboxWriter
    controls: LiveControls
    latency: Histogram
    """From a camera frame's arrival to its picture's departure."""


def open_engine(settings: AnyEngine) -> Engine:
    """Return the engine that `settings` ask for, not yet loaded."""
    if isinstance(settings, PassthroughSettings):
        from sdstream.engine.passthrough import Passthrough

        return Passthrough()
    from sdstream.engine.diffusion import DiffusionEngine

    return DiffusionEngine(settings)


def run_engine(context: Context, settings: AnyEngine, canvas: Canvas, ports: EnginePorts) -> None:
    """Restyle the newest camera frame, again and again, for as long as the stage runs."""
    cv2.setNumThreads(1)  # scaling is a millisecond of work; a pool of threads would take the model's cores
    with open_engine(settings) as engine:
        get_logger().info("engine loaded", kind=settings.kind)
        labeller = _Labeller(engine, (canvas.width, canvas.height))
        context.ready()
        while context.running:
            frame = ports.camera.take(0.2)
            if frame is None:
                continue
            picture = labeller.restyle(frame, ports.controls.get())
            _count(context.counters, engine.last_outcome, ports.camera.dropped)
            if picture is not None:
                ports.output.put(picture)
                ports.latency.record(time.monotonic() - frame.posted)


class _Labeller:
    """Gives each finished picture canvas size, and the number and the times of the frame that it was made of."""

    def __init__(self, engine: Engine, size: tuple[int, int]) -> None:
        self._engine, self._size = engine, size
        self._labels: deque[Frame] = deque(maxlen=TIMESTEPS + 1)
        self._nothing = np.empty((0, 0, 3), np.uint8)
        self._last: Pixels | None = None

    def restyle(self, frame: Frame, controls: Controls) -> Frame | None:
        """Return the picture that is due now; a still one again, if the engine skipped it."""
        self._labels.append(replace(frame, pixels=self._nothing))  # the pixels are the mailbox's, and change
        pixels = self._engine(frame.pixels, controls)
        if pixels is not None:
            self._last = self._to_canvas(pixels)
            return replace(self._labels[-1 - self._engine.last_age], pixels=self._last)
        if self._engine.last_outcome is Outcome.SKIPPED and self._last is not None:
            return replace(frame, pixels=self._last)
        return None

    def _to_canvas(self, pixels: Pixels) -> Pixels:
        if (pixels.shape[1], pixels.shape[0]) == self._size:
            return pixels
        scaled: Pixels = cv2.resize(pixels, self._size, interpolation=cv2.INTER_LINEAR)
        return scaled


def _count(counters: Counters, outcome: Outcome, dropped: int) -> None:
    counters.add("frames")
    counters.add(outcome.value)
    counters.set("dropped", dropped)
    if outcome is Outcome.RENDERED:
        now = time.monotonic()
        counters.set("last_at", now)
        if not counters.get("first_at"):
            counters.set("first_at", now)
