"""A show in simulated time: a source with its own clock, pictures that take a while, and a sink that ticks."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from sdstream.audio.delay import Delay
from sdstream.audio.ring import AudioRing
from sdstream.frame import SAMPLE_RATE, Samples

TONE = 440.0
AAC = 1024  # samples of one block of sound


def voice(first: int, count: int) -> Samples:
    """Return sound whose left side is a sine, and whose right side tells its place: pts modulo 1 s, from -0.5."""
    place = np.arange(first, first + count)
    sine = np.sin(2 * np.pi * TONE * place / SAMPLE_RATE)
    return np.stack([sine, (place % SAMPLE_RATE) / SAMPLE_RATE - 0.5], 1).astype(np.float32)


@dataclass
class SimulatedShow:
    """All times in seconds of the monotonic clock, which begins at 1000."""

    latency: float = 0.3
    """From a picture's capture to where the sink can show it."""
    jitter: float = 0.0
    drift: float = 0.0
    """By how much the source's clock runs fast."""
    fps: int = 30
    picture_fps: float = 30.0
    sound_late: float = 0.02
    """From the end of a block of sound to where the ring has it."""
    burst: float = 0.0
    """Sound arrives all together once in so many seconds; 0: each block by itself."""
    early: float = 0.0
    """How much earlier than its picture's tick the sink stamps the sound of that tick."""
    seed: int = 0
    now: float = 1000.0
    ring: AudioRing = field(default_factory=AudioRing)
    offsets: list[float] = field(default_factory=list)
    """Of each tick that had sound and a new picture: the pts of what is stamped alike, sound's minus picture's."""
    heard: list[Samples] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.delay = Delay(self.ring, round(self.early * SAMPLE_RATE))
        self._random = np.random.default_rng(self.seed)
        self._ticks = 0
        self.restart(0.0)

    def restart(self, gap: float) -> None:
        """Let the source come back after `gap` seconds, with a new timeline that begins then."""
        self._began = self.now + gap
        self._sound = round(self._began * SAMPLE_RATE)
        self._pictures: list[tuple[float, float]] = []  # (can be shown at, pts)
        self._next_picture = 0
        self._shown = -1.0
        self._arrivals: list[tuple[float, int]] = []

    def run(self, seconds: float, *, alive: bool = True, late: Callable[[int], float] = lambda _: 0.0) -> None:
        """Go on for `seconds`; `late(tick)` is how late the sink is at one tick."""
        for _ in range(round(seconds * self.fps)):
            self._ticks += 1
            self.now = 1000.0 + self._ticks / self.fps + late(self._ticks)
            if alive:
                self._capture()
            self._tick()

    def _source_time(self) -> float:
        return self._began + (self.now - self._began) * (1 + self.drift)

    def _capture(self) -> None:
        """Write the sound that has arrived, and note the pictures that were captured."""
        due = self.now if not self.burst else self._began + (self.now - self._began) // self.burst * self.burst
        heard_until = self._began + (due - self.sound_late - self._began) * (1 + self.drift)
        while (self._sound + AAC) / SAMPLE_RATE <= heard_until - self._random.uniform(0, self.jitter):
            self.ring.write(self._sound / SAMPLE_RATE, voice(self._sound, AAC))
            self._sound += AAC
        while self._began + self._next_picture / self.picture_fps <= self._source_time():
            pts = self._began + self._next_picture / self.picture_fps
            captured = self._began + (pts - self._began) / (1 + self.drift)
            ready = captured + self.latency + self._random.uniform(-self.jitter, self.jitter)
            self._pictures.append((ready, pts))
            self._next_picture += 1

    def _tick(self) -> None:
        ready = [pts for at, pts in self._pictures if at <= self.now]
        fresh = bool(ready) and max(ready) != self._shown
        if fresh:
            self._shown = max(ready)
        self._pictures = [(at, pts) for at, pts in self._pictures if pts > self._shown]
        block = self.delay.block(self.now, self.now - self._shown if fresh else None, SAMPLE_RATE // self.fps)
        self.heard.append(block)
        middle = len(block) // 2
        if fresh and np.abs(block[:, 0]).max() > 0.5:
            told = float(block[middle, 1]) + 0.5 - middle / SAMPLE_RATE
            self.offsets.append((told + self.early - self._shown + 0.5) % 1 - 0.5)

    @property
    def sound(self) -> Samples:
        """Everything that was sent."""
        return np.concatenate(self.heard)
