"""What a source is given: canvas, sound ring, counters, and a callback that raises when the source should stop."""

import enum
from collections.abc import Callable
from dataclasses import dataclass

from sdstream.audio.ring import AudioRing
from sdstream.config.schema import Canvas
from sdstream.ipc.counters import Counters
from sdstream.sources.rtmp_server.address import GateAddress

DROPS = ("corrupt_packets", "corrupt_pictures", "late_pictures", "queued_pictures")
"""Counters of pictures (or packets that would have become some) that were left out, by reason."""

COUNTERS = (
    "state",
    "frames",
    "fps",
    "width",
    "height",
    "sound_blocks",
    "corrupt_sounds",
    "reopens",
    "stalls",
    *DROPS,
)
"""Names of a source stage's counters. `state` is a `State`; `width` and `height` are the picture's as decoded;
`fps` was measured over the last second or more."""


class State(enum.IntEnum):
    """How a source is; the number in the `state` counter."""

    WAITING = 0
    """It has not delivered a picture yet."""
    LIVE = 1
    """Pictures come."""
    STALLED = 2
    """It is connected, and no picture has come for `stall` seconds."""
    LOST = 3
    """It went away, and is being opened again."""
    ENDED = 4
    """It was a recording, and it is over."""


STATES = tuple(state.name.lower() for state in State)
"""Names of the states, by number."""


class Ended(Exception):
    """A recording that is not to be looped has been played."""


@dataclass(frozen=True, slots=True)
class SourceContext:
    """What one source is given besides its settings."""

    canvas: Canvas
    """Size of every picture."""
    counters: Counters
    """Must hold COUNTERS."""
    ring: AudioRing | None
    """Takes the sound; None: the sound is not wanted."""
    check_running: Callable[[], None]
    """To be called at least once a second while blocked; raises Lost when the source should stop."""
    gate: GateAddress | None = None
    """Where the publications of an RTMP source that listens are fetched."""
