"""Plays a source to its end, and keeps the frames, the sound and the counters."""

import itertools
from dataclasses import dataclass, field

from sdstream.audio.ring import AudioRing
from sdstream.config.schema import Canvas
from sdstream.config.sources import FfmpegSourceSettings
from sdstream.errors import Lost
from sdstream.frame import Frame
from sdstream.ipc.counters import Counters
from sdstream.sources import marker
from sdstream.sources.context import COUNTERS, Ended, SourceContext
from sdstream.sources.registry import open_source

CANVAS = Canvas(width=128, height=96, fps=30)


@dataclass
class Playback:
    """What a source gave."""

    frames: list[Frame] = field(default_factory=list)
    numbers: list[int | None] = field(default_factory=list)
    ring: AudioRing = field(default_factory=AudioRing)
    counters: Counters = field(default_factory=lambda: Counters(COUNTERS))
    loss: str = ""
    facts: dict[str, str] = field(default_factory=dict)

    @property
    def spacing(self) -> list[float]:
        """Seconds from each picture to the next, by their own times."""
        times = [frame.pts for frame in self.frames]
        return [later - earlier for earlier, later in itertools.pairwise(times)]

    @property
    def sound(self) -> int:
        """Samples of sound."""
        begin, end = self.ring.span()
        return end - begin


def nobody() -> None:
    """Ask nothing: the source goes on."""


def play(path, most=1000, canvas=CANVAS, **settings) -> Playback:
    """Read until the source ends, is lost, or has given `most` pictures."""
    playback = Playback()
    context = SourceContext(canvas, playback.counters, playback.ring, nobody)
    wish = FfmpegSourceSettings(kind="ffmpeg", url=str(path), **settings)
    try:
        with open_source(wish, context) as source:
            while len(playback.frames) < most:
                frame = source.read()
                if frame is not None:
                    playback.frames.append(frame)
                    mark = marker.read(frame.pixels)
                    playback.numbers.append(mark.counter if mark else None)
                    playback.facts = source.facts()
    except Ended:
        playback.loss = "ended"
    except Lost as loss:
        playback.loss = str(loss)
    return playback
