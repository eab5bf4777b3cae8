"""The picture type between all rooms: RGB, uint8, (height, width, 3), contiguous, in host memory."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Pixels = npt.NDArray[np.uint8]
    """RGB, (height, width, 3), C-contiguous, values 0-255, gamma as in BT.709 video (full range)."""

    Samples = npt.NDArray[np.float32]
    """Sound: (samples, 2), interleaved stereo at `SAMPLE_RATE`, values -1..1."""
else:  # `sdstream check` looks at an engine's settings without any picture, and without numpy
    Pixels = Samples = Any

SAMPLE_RATE = 48_000
"""Hz, as in NDI, Twitch and OBS. Sources resample to this rate; sinks never need to."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A picture on the way from source to sink.

    `pixels` may be a view into a buffer that the producer reuses: see the docstring of the producer.
    """

    pixels: Pixels
    seq: int
    """Number of the picture, counted by the writer from 1."""
    pts: float
    """Presentation time on the source's timeline, moved onto the monotonic clock (seconds). The first picture after an
    open has `pts == captured`; later pictures keep the source's spacing. Sound has the same timeline, so picture and
    sound with equal pts belong together."""
    captured: float
    """`time.monotonic()` when the source had the picture, before conversion (seconds)."""
    posted: float = 0.0
    """`time.monotonic()` when the last mailbox took the picture in (seconds); 0 before the first mailbox."""
