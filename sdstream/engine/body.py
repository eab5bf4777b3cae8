"""The body of the engine's process: newest camera frame in, restyled frame out, with the controls of that moment."""

import time
from dataclasses import dataclass, replace
from typing import Protocol, Self

from sdstream.config.schema import AnyEngine, PassthroughSettings
from sdstream.controls import Controls
from sdstream.frame import Frame
from sdstream.live_controls import LiveControls
from sdstream.log import get_logger
from sdstream.mailbox import MailboxReader, MailboxWriter
from sdstream.stage import Context
from sdstream.stats import Counters, Histogram

COUNTERS = ("frames", "shown", "skipped", "filling", "dropped", "first_at", "last_at")
"""`frames` came in; each one was `shown` (a new picture left), `skipped` (still: the last picture was held) or
`filling` (the batch was not full yet). `dropped` were replaced by newer ones before the engine was free. `first_at`
and `last_at`: monotonic seconds of the first and the last new picture."""


class Engine(Protocol):
    """An image-to-image stage, opened by `with`."""

    skipped: bool
    """True when the last call gave None because the picture is still, so that the last one given still holds."""

    def __enter__(self) -> Self:
        """Load it. Raises Unavailable when a model or runtime is missing or broken."""
        ...

    def __exit__(self, *exc: object) -> None:
        """Free it; closing twice is harmless."""
        ...

    def __call__(self, frame: Frame, controls: Controls) -> Frame | None:
        """Take one frame of canvas size; return a finished one (maybe of an earlier call), or None."""
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


def run_engine(context: Context, settings: AnyEngine, ports: EnginePorts) -> None:
    """Restyle the newest camera frame, again and again, for as long as the stage runs."""
    counters, last = context.counters, None
    with open_engine(settings) as engine:
        get_logger().info("engine loaded", kind=settings.kind)
        context.ready()
        while context.running:
            frame = ports.camera.take(0.2)
            if frame is None:
                continue
            counters.add("frames")
            counters.set("dropped", ports.camera.dropped)
            picture = engine(frame, ports.controls.get())
            if picture is not None:
                _count_shown(counters)
                last = picture
            elif engine.skipped and last is not None:
                counters.add("skipped")
                picture = replace(last, seq=frame.seq, pts=frame.pts, captured=frame.captured)
            else:
                counters.add("filling")
                continue
            ports.output.put(picture)
            ports.latency.record(time.monotonic() - frame.posted)


def _count_shown(counters: Counters) -> None:
    now = time.monotonic()
    counters.add("shown")
    counters.set("last_at", now)
    if not counters.get("first_at"):
        counters.set("first_at", now)
