"""The outputs of pictures and sound: a file for each kind, and a protocol for all kinds.

A sink knows its receiver: a device, a server, a browser. Clock, choice of picture, restarts and delay of audio are
unknown here: the sink's stage decides, and calls `send`. `registry` has the table of kinds, `context` the arguments of
a sink besides the settings, `yuv` the conversion for sinks without RGB. Start reading at `Sink`, then `discard`, the
smallest kind.
"""

from dataclasses import dataclass
from typing import Protocol, Self

from sdstream.frame import SAMPLE_RATE, Frame, Samples

STAMPED_EARLY = round(0.06 * SAMPLE_RATE)
"""Samples subtracted from the timestamp of audio in files and RTMP streams. Players obey timestamps, so audio may be
sent later than the picture of the same time, once the audio is complete. `sdstream bench constants --only early`
measured, with RTMP at 30 pictures a second: audio is complete 24 ms after the picture, and within 40 ms for 95 of 100
pictures. The remaining 20 ms are for publishers with later audio."""


@dataclass(frozen=True, slots=True)
class Due:
    """The time of a picture and of the sound sent with the picture."""

    index: int
    """Number of the due picture on the run's clock; numbers are left out after a long interruption."""
    ahead: float = 0.0
    """Seconds from the pts of the picture to the pts of the sound, below 0 for late sound; added to NDI's timecode."""


class Sink(Protocol):
    """A receiver of pictures, opened by `with`, without thread, retry, sleep or clock."""

    def __enter__(self) -> Self:
        """Open the sink.

        Raises Lost when the receiver is absent now, Unavailable or Forbidden when a later try would fail as well.
        """
        ...

    def __exit__(self, *exc: object) -> None:
        """Close the sink; closing twice is harmless."""
        ...

    def send(self, frame: Frame, sound: Samples, due: Due) -> None:
        """Send a picture of canvas size, and the sound of this tick.

        Called once for each due picture, in order, at the canvas rate. `sound` is (n, 2), zeros without sound; n
        differs by 1 between ticks if the canvas rate does not divide 48 kHz. Raises Lost when the receiver
        disconnected.
        """
        ...

    def facts(self) -> dict[str, float]:
        """Return numbers about the receiver, under the names in `facts` of the kind's row."""
        ...
