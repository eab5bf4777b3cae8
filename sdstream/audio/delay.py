"""The source's sound, delayed as much as the picture, and corrected without clicks.

A block starts and ends at a whole sample, so a block without correction is a bit-exact copy. Corrections: up to 0.5 %
faster or slower (9 cents, not heard as pitch), or a short cross-fade for a large error.
"""

import numpy as np

from sdstream.audio.interpolation import interpolate
from sdstream.audio.lag import Lag
from sdstream.audio.ring import AudioRing
from sdstream.frame import SAMPLE_RATE, Samples

_FADE = 192
"""Samples of every fade (4 ms): the shortest block, at 240 pictures a second, has 200."""

_SLEW = 0.005
"""Change of speed during a correction, as a share."""

_START_SLEW = SAMPLE_RATE * 5 // 1000
"""Error in samples (5 ms) above which a correction begins."""

_END_SLEW = SAMPLE_RATE // 1000
"""Error in samples (1 ms) below which a correction ends; then sound is left alone up to `_START_SLEW`."""

_JUMP = SAMPLE_RATE // 10
"""Error in samples (0.1 s) above which sound jumps, because a correction at `_SLEW` would take longer than 20 s."""

_RISE = 0.5 - 0.5 * np.cos(np.pi * (np.arange(_FADE, dtype=np.float32) + 0.5) / _FADE)
"""Gain of each sample of a fade in, (_FADE,)."""


class Delay:
    """The sound of a sink, read from the ring. May be sent to a spawned process together with the ring."""

    def __init__(self, ring: AudioRing, early: int = 0) -> None:
        """`early`: the sink stamps sound this many samples before the picture sent together with the sound.

        When a fresh picture leaves, the sound up to the next picture has not arrived yet, and sound arrives in
        blocks. A sink that stamps sound can send older sound with the picture and still be in time.
        """
        self._early = early
        self.offset = 0.0
        """Seconds by which the last sound sent is ahead of the picture shown with the sound."""
        self._ring = ring
        self._lag = Lag(early / SAMPLE_RATE)
        self._played = 0  # samples sent so far: the output's timeline
        self._next: int | None = None  # sample number to go on with; None while silent
        self._tail = np.zeros((_FADE, 2), np.float32)  # the samples from `_next` on, to fade out of after a jump
        self._span = (0, 0)  # of the ring, at the last tick
        self._slewing = False
        self._jump = False  # whether the next block goes to the wanted place, however near

    def shift(self, seconds: float) -> None:
        """Let the sound come `seconds` later than the picture (negative: earlier); a change takes effect at once."""
        if seconds != self._lag.shift:
            self._lag.shift = seconds
            self._jump = True

    def block(self, now: float, delay: float | None, count: int) -> Samples:
        """Return the (count, 2) samples to send with the picture of this tick.

        `delay` is `now - pts` of the picture in seconds, or None when the picture was shown before.
        """
        self._watch(now, delay, count)
        first, consumed = self._choose(count)
        out = np.zeros((count, 2), np.float32) if first is None else self._read(first, consumed, count)
        if first is None or first != self._next:
            _crossfade(out, self._tail)
        self._remember(None if first is None else first + consumed)
        if first is not None:
            self.offset = (first - self._stamp) / SAMPLE_RATE + self._lag.pictures
        self._played += count
        return out

    def _remember(self, upcoming: int | None) -> None:
        """Remember the next sample number and the samples there: the source may begin anew before the next block."""
        self._next = upcoming
        self._tail = np.zeros((_FADE, 2), np.float32) if upcoming is None else self._ring.read(upcoming, _FADE)

    def _watch(self, now: float, delay: float | None, count: int) -> None:
        """Feed the measurements; restart the measurements when the source began anew."""
        first, end = self._ring.span()  # sample numbers
        if first not in (self._span[0], end - self._ring.length):
            self._lag.restart()
            self._next, self._slewing = None, False
        self._span = first, end
        played = self._played / SAMPLE_RATE
        self._lag.on_picture(played, now, delay)
        if first < end:
            self._lag.on_sound(played, end / SAMPLE_RATE, count / SAMPLE_RATE)

    @property
    def _stamp(self) -> int:
        """The sink's stamp of the next block, as a sample number on the output's timeline."""
        return self._played - self._early

    def _choose(self, count: int) -> tuple[int | None, int]:
        """Return (first sample, samples consumed), or (None, 0) for silence."""
        wanted = self._stamp - round(self._lag.wanted * SAMPLE_RATE)
        first = self._next
        if first is None or self._jump or abs(wanted - first) > _JUMP:
            first = wanted
        consumed = count + self._correct(wanted - first, count)
        arrived = self._span[0] < first and first + consumed + _FADE + 2 <= self._span[1]
        if arrived and (self._next is not None or self._lag.settled):
            self._jump = False
            return first, consumed
        if self._next is not None:
            self._lag.on_underrun()
        return None, 0

    def _correct(self, error: int, count: int) -> int:
        """Return how many samples more than `count` to consume, to come nearer by `error` samples; may be negative."""
        self._slewing = abs(error) > (_END_SLEW if self._slewing else _START_SLEW)
        most = max(1, int(count * _SLEW))
        return min(most, max(-most, error)) if self._slewing else 0

    def _read(self, first: int, consumed: int, count: int) -> Samples:
        """Return `consumed` samples from `first` on, stretched to `count`."""
        if consumed == count:
            return self._ring.read(first, count)
        samples = self._ring.read(first - 1, consumed + 3)
        return interpolate(samples, np.arange(count) * (consumed / count))


def _crossfade(out: Samples, tail: Samples) -> None:
    """Fade `out` in over the first samples, and fade `tail` out."""
    length = min(_FADE, len(out))
    rise = _RISE[:length, None]
    out[:length] = out[:length] * rise + tail[:length] * (1 - rise)
