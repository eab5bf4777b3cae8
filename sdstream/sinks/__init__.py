"""Where pictures go: one file a kind, one protocol for all."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, Self

from sdstream.controls import Controls
from sdstream.frame import SAMPLE_RATE, Frame, Samples

_STAMPED_EARLY = 0.06
"""Seconds. Fresh from an RTMP source at 30 pictures a second, sound was complete 60 ms after its picture (measured:
39 ms off, when sent with a picture that was 26 ms old)."""


def early_samples(kind: str) -> int:
    """Return how many samples before its picture a sink of this kind stamps the sound that it is given with it.

    Whoever watches a stream or a file goes by its stamps, so its sound may come later and be complete. Receivers of
    NDI may play both as they come, so there sound leaves as early as it can, with what it lags in its timecode.
    """
    return round(_STAMPED_EARLY * SAMPLE_RATE) if kind == "ffmpeg" else 0


@dataclass(frozen=True, slots=True)
class Due:
    """When a picture and its sound belong."""

    index: int
    """Number of the due picture on the run's clock. A clock that was held up for long leaves numbers out."""
    ahead: float = 0.0
    """Seconds that the sound is ahead of the picture by pts; below 0 it comes late, and can be stamped so."""


def _no_camera() -> Frame | None:
    return None


def _slate() -> str:
    return "slate"


@dataclass(frozen=True, slots=True)
class Backstage:
    """What a sink may ask for during `send` that shows more than the picture; as it is, a show that has not begun."""

    camera: Callable[[], Frame | None] = _no_camera
    """The newest camera picture, untouched, valid until `send` returns; None before the first one."""
    showing: Callable[[], str] = _slate
    """The rung of the ladder that the picture is from."""
    controls: Callable[[], Controls] = Controls
    """What the engine was last asked for."""


class Sink(Protocol):
    """A taker of pictures, opened by `with`. It has no thread, no retry, no sleep and no clock."""

    def __enter__(self) -> Self:
        """Open it. Raises Lost when it is not there now, Unavailable or Forbidden when it can never be."""
        ...

    def __exit__(self, *exc: object) -> None:
        """Close it; closing twice is harmless."""
        ...

    def send(self, frame: Frame, sound: Samples, due: Due) -> None:
        """Send one picture of canvas size, and the sound that belongs to this tick of the clock.

        Called once for each due picture, in order, at the canvas rate. `sound` is (n, 2), silence where there is
        none; n differs by one from tick to tick where the rate does not divide 48 kHz. Raises Lost when the taker
        has gone away.
        """
        ...

    def facts(self) -> dict[str, float]:
        """Return what the taker tells of itself: of `sinks.body.FACTS`, those that this kind knows."""
        ...
