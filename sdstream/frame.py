"""The one picture type that crosses rooms: RGB, uint8, (height, width, 3), contiguous, in host memory."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
"""RGB, (height, width, 3), C-contiguous, values 0-255, gamma as in BT.709 video (full range)."""

Samples = npt.NDArray[np.float32]
"""Sound: (samples, 2), interleaved stereo at `SAMPLE_RATE`, values -1..1."""

SAMPLE_RATE = 48_000
"""Hz. What NDI, Twitch and OBS use; sources resample to it, sinks never need to."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture on its way through the house. `pixels` may be a view that its giver reuses: see the giver."""

    pixels: Pixels
    seq: int
    """Counts the pictures of one writer, from 1."""
    pts: float
    """Presentation time on the source's own timeline, moved onto the monotonic clock (seconds): the
    first picture after an open has `pts == captured`, later ones keep the source's spacing. Sound has
    the same timeline, so picture and sound with equal pts belong together."""
    captured: float
    """`time.monotonic()` when the source had the picture, before conversion (seconds)."""
    posted: float = 0.0
    """`time.monotonic()` when the last mailbox took it in; 0 before the first one (seconds)."""
