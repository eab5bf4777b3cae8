"""Where pictures go: a file for each kind, and one protocol for all.

A sink knows its receiver: a device, a server, a browser. Clock, choice of picture, restarts and delay of audio are
unknown here: the sink's stage decides, and calls `send`. `registry` has the table of kinds, `context` the things that
a sink is given, `yuv` the conversion for sinks without RGB. Start reading at `Sink`, then `discard`, the smallest kind.
"""

from dataclasses import dataclass
from typing import Protocol, Self

from sdstream.frame import SAMPLE_RATE, Frame, Samples

STAMPED_EARLY = round(0.06 * SAMPLE_RATE)
"""Samples before its picture at which a file or an RTMP stream stamps the audio that leaves with the picture: players
obey timestamps, so audio may be sent later, once the audio is complete. `sdstream bench constants --only early`
measured that audio, fresh from RTMP at 30 pictures a second, is complete 24 ms after its picture, and 40 ms at most for
95 of 100 pictures. The rest is for publishers with later audio."""


@dataclass(frozen=True, slots=True)
class Due:
    """When a picture and its sound belong."""

    index: int
    """Number of the due picture on the run's clock. A clock that was held up for long leaves numbers out."""
    ahead: float = 0.0
    """Seconds that the sound is ahead of the picture by pts; below 0 it comes late, and can be stamped so."""


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
        """Return what the taker tells of itself, under the names in `facts` of the kind's row."""
        ...
