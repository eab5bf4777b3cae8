"""The source's sound, delayed as much as the picture is, and steered there without clicks.

A block starts at a whole sample and ends at one, so that it is a bit-exact copy whenever there is nothing to
correct. Corrections: up to 0.5 % faster or slower (9 cents, not heard as pitch), or a short cross-fade when far off.
"""

import numpy as np

from sdstream.audio.interpolation import between
from sdstream.audio.lag import Lag
from sdstream.audio.ring import AudioRing
from sdstream.frame import SAMPLE_RATE, Samples

_FADE = 192  # samples (4 ms) of every fade; the shortest block, at 240 pictures a second, has 200
_SLEW = 0.005
_START_SLEW = SAMPLE_RATE * 5 // 1000  # samples off at which a correction begins,
_END_SLEW = SAMPLE_RATE // 1000  # and at which it ends: in between the sound is left alone
_JUMP = SAMPLE_RATE // 10
_RISE = 0.5 - 0.5 * np.cos(np.pi * (np.arange(_FADE, dtype=np.float32) + 0.5) / _FADE)


class Delay:
    """One sink's way through the ring. It may be sent to a spawned process together with the ring."""

    def __init__(self, ring: AudioRing, early: int = 0) -> None:
        """Serve a sink that stamps its sound `early` samples before the picture that it came with.

        Sound for the whole time until the next picture is not here yet when a fresh picture leaves, and it comes
        in blocks; a sink that stamps its sound can send what belonged a little before, and is still in time.
        """
        self._early = early
        self.offset = 0.0
        """Seconds by which sound is ahead of the picture that it is shown with, when it was last sent."""
        self._ring = ring
        self._lag = Lag(early / SAMPLE_RATE)
        self._played = 0  # samples given out: the output's timeline
        self._place: int | None = None  # sample number that comes next; None while silent
        self._tail = np.zeros((_FADE, 2), np.float32)  # what would have come next: kept for a fade out of it
        self._span = (0, 0)
        self._slewing = False

    def block(self, now: float, delay: float | None, count: int) -> Samples:
        """Return the (count, 2) samples that leave with the picture of this tick.

        `delay` is `now - pts` of the picture in seconds, or None when the picture was shown before.
        """
        self._watch(now, delay, count)
        place, advance = self._choose(count)
        out = np.zeros((count, 2), np.float32) if place is None else self._read(place, advance, count)
        if place is None or place != self._place:
            _blend(out, self._tail)
        self._keep(None if place is None else place + advance)
        if place is not None:
            self.offset = (place - self._stamp) / SAMPLE_RATE + self._lag.pictures
        self._played += count
        return out

    def _keep(self, place: int | None) -> None:
        """Remember where to go on, and what would come there: by then the source may have begun anew."""
        self._place = place
        self._tail = np.zeros((_FADE, 2), np.float32) if place is None else self._ring.read(place, _FADE)

    def _watch(self, now: float, delay: float | None, count: int) -> None:
        """Feed the measurements; begin them anew when the source did."""
        first, end = self._ring.span()
        if first not in (self._span[0], end - self._ring.length):
            self._lag.restart()
            self._place, self._slewing = None, False
        self._span = first, end
        played = self._played / SAMPLE_RATE
        self._lag.see_picture(played, now, delay)
        if first < end:
            self._lag.see_sound(played, end / SAMPLE_RATE, count / SAMPLE_RATE)

    @property
    def _stamp(self) -> int:
        """Sample number, on the output's timeline, that the sink stamps the next block with."""
        return self._played - self._early

    def _choose(self, count: int) -> tuple[int | None, int]:
        """Return the sample number to begin at and how many to use up; None for silence."""
        wanted = self._stamp - round(self._lag.wanted * SAMPLE_RATE)
        place = self._place
        if place is None or abs(wanted - place) > _JUMP:
            place = wanted
        advance = count + self._correct(wanted - place, count)
        here = self._span[0] < place and place + advance + _FADE + 2 <= self._span[1]
        if here and (self._place is not None or self._lag.settled):
            return place, advance
        if self._place is not None:
            self._lag.ran_dry()
        return None, 0

    def _correct(self, error: int, count: int) -> int:
        """Return how many samples more than `count` to use up, to be `error` samples further on."""
        self._slewing = abs(error) > (_END_SLEW if self._slewing else _START_SLEW)
        most = max(1, int(count * _SLEW))
        return min(most, max(-most, error)) if self._slewing else 0

    def _read(self, place: int, advance: int, count: int) -> Samples:
        """Return `advance` samples from `place` on, stretched to `count`."""
        if advance == count:
            return self._ring.read(place, count)
        samples = self._ring.read(place - 1, advance + 3)
        return between(samples, np.arange(count) * (advance / count))


def _blend(out: Samples, tail: Samples) -> None:
    """Fade `out` in over the first samples, and what would have come before it out."""
    length = min(_FADE, len(out))
    rise = _RISE[:length, None]
    out[:length] = out[:length] * rise + tail[:length] * (1 - rise)
