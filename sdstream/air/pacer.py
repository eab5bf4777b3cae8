"""The clock of a sink: which picture is due when. It never sleeps and never looks at a clock: time is an argument."""

import math
from dataclasses import dataclass
from fractions import Fraction

CATCH_UP = 0.25
"""Seconds. A sink that is late by less sends what it owes at once, so that an encoder gets every picture; one
that is later than that skips, because a burst that long would itself be seen. Chosen longer than the worst
scheduling gap of a loaded two-core machine, and shorter than what a viewer's player buffers."""


@dataclass(frozen=True, slots=True)
class Tick:
    """One due picture."""

    index: int
    """Counts from the start of the run; two sinks of a run agree on it."""
    at: float
    """When it is due (monotonic seconds)."""
    missed: int
    """Due pictures that were skipped since the last tick."""


class Pacer:
    """Due times `epoch + index / rate`, computed from the index, so that no rounding adds up over a long show."""

    def __init__(self, rate: Fraction, epoch: float, now: float) -> None:
        """Begin with the first picture that is due after `now`; `epoch` is the start of the run."""
        self.rate = rate
        self._epoch = epoch
        self._next = max(0, math.ceil((now - epoch) * rate))

    def due(self, index: int) -> float:
        """Return when picture `index` is due (monotonic seconds)."""
        return self._epoch + float(index / self.rate)

    def next(self, now: float, shift: float = 0.0) -> Tick:
        """Return the next picture to send; the caller waits for it. It is due `shift` seconds later (see `phase`)."""
        missed = 0
        if now - shift - self.due(self._next) > CATCH_UP:
            present = math.ceil((now - shift - self._epoch) * self.rate)
            missed, self._next = present - self._next, present
        tick = Tick(self._next, self.due(self._next) + shift, missed)
        self._next += 1
        return tick


def samples_in(index: int, rate: Fraction, sample_rate: int) -> int:
    """Return how many sound samples belong to picture `index`; over time they add up exactly."""
    return math.floor((index + 1) * sample_rate / rate) - math.floor(index * sample_rate / rate)
