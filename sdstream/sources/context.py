"""The arguments of every source: canvas, audio ring, counters, and a callback to stop the source."""

import enum
from collections.abc import Callable
from dataclasses import dataclass

from sdstream.audio.ring import AudioRing
from sdstream.config.schema import Canvas
from sdstream.ipc.counters import Counters
from sdstream.sources.rtmp_server.address import RtmpServerAddress

DROPS = ("corrupt_packets", "corrupt_pictures", "late_pictures", "queued_pictures")
"""Counters of pictures left out (of packets, where decoding failed), by reason."""

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
    "buffer",
    "buffer_bound",
    "buffer_reason",
    *DROPS,
)
"""Names of a source stage's counters. `state` is a `State`; `width` and `height` are the size of the decoded picture;
`fps` is measured over the last second or more. `buffer` is the delay of live pictures (seconds), `buffer_bound` the
longest delay, and `buffer_reason` a `decoding.jitter_buffer.Reason`."""


class State(enum.IntEnum):
    """State of a source; the number in the `state` counter."""

    WAITING = 0
    """No picture has come yet."""
    LIVE = 1
    """Pictures come."""
    STALLED = 2
    """Connected, and no picture has come for `stall` seconds."""
    LOST = 3
    """The sender went away; the stage opens the source again."""
    ENDED = 4
    """The recording is over."""


STATES = tuple(state.name.lower() for state in State)
"""Names of the states, by number."""


class Ended(Exception):
    """A recording without `loop` has been played to the end."""


@dataclass(frozen=True, slots=True)
class SourceContext:
    """The arguments of a source besides the settings."""

    canvas: Canvas
    """Size of every picture."""
    counters: Counters
    """Must hold COUNTERS."""
    ring: AudioRing | None
    """Takes the sound; None: the sound is not wanted."""
    check_running: Callable[[], None]
    """A source calls this at least once a second while blocked; raises Lost when the source should stop."""
    rtmp_server: RtmpServerAddress | None = None
    """Private address of the RTMP server; None unless the settings have `listen`."""
    sound_track: Callable[[], int | None] = lambda: None
    """Returns the control `sound.track`; None is the default track."""
