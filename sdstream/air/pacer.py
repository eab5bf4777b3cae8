"""The due times of a sink's pictures. Nothing here sleeps or reads a clock: time is an argument."""

import math
from dataclasses import dataclass
from fractions import Fraction

CATCH_UP = 0.25
"""Seconds. A sink late by less sends all due pictures at once, so an encoder gets every picture. A sink late by more
skips pictures, because viewers would see so long a burst. The limit is longer than the worst scheduling gap of a loaded
two-core machine, and shorter than the buffer of a viewer's player."""


@dataclass(frozen=True, slots=True)
class Tick:
    """A due picture."""

    index: int
    """Counts from the start of the run; all sinks of a run have the same count."""
    at: float
    """When the picture is due (monotonic seconds)."""
    missed: int
    """Due pictures skipped since the last tick."""


class Pacer:
    """Due times `epoch + index / rate`, computed from the index, so that rounding errors do not add up."""

    def __init__(self, rate: Fraction, epoch: float, now: float) -> None:
        """Begin with the first picture due after `now`; `epoch` is the start of the run."""
        self.rate = rate
        self._epoch = epoch
        self._next = max(0, math.ceil((now - epoch) * rate))

    def due(self, index: int) -> float:
        """Return when picture `index` is due (monotonic seconds)."""
        return self._epoch + float(index / self.rate)

    def next(self, now: float, shift: float = 0.0) -> Tick:
        """Return the next picture to send, due `shift` seconds later (see `phase`); the caller waits until then."""
        missed = 0
        if now - shift - self.due(self._next) > CATCH_UP:
            present = math.ceil((now - shift - self._epoch) * self.rate)
            missed, self._next = present - self._next, present
        tick = Tick(self._next, self.due(self._next) + shift, missed)
        self._next += 1
        return tick


def samples_in(index: int, rate: Fraction, sample_rate: int) -> int:
    """Return how many sound samples belong to picture `index`; the counts add up exactly over time."""
    return math.floor((index + 1) * sample_rate / rate) - math.floor(index * sample_rate / rate)
