"""Moves a sink's ticks to the best phase, so that each tick finds a single new picture. Time is an argument.

If pictures arrive close to the ticks, two pictures come before a tick and none before the next, though nothing is late.
So the tick moves half way between two arrivals. The move costs half an interval of delay: the average cost of a clock
started at a random moment.
"""

import cmath
import math
from fractions import Fraction

SLEW = 0.01
"""Largest move of a tick against the tick before, as a share of an interval: a third of a millisecond at 30 pictures a
second, a hundredth of what a player's clock takes for jitter. Half an interval takes two seconds."""

BOUND = 0.75
"""Largest shift of a tick from the due time on the run's clock, in intervals. Half an interval reaches every phase. The
rest lets a source with a slightly different clock slip by a picture now and then, instead of to and fro at the edge."""

_GAIN = 1 / 16
"""Share of the error corrected by each tick."""

_MEMORY = 32
"""Pictures in the running average of arrivals."""

_FEWEST = 12
"""Pictures that must arrive before any tick moves."""

_CONCENTRATED = 0.4
"""Length of the mean arrival on the unit circle above which ticks move: 1 is no jitter, 0 is arrivals at random."""

_OFF_RATE = 0.05
"""Largest difference of a source's rate from an integer multiple of the clock's rate, as a share."""

_MOST = 8
"""Largest number of pictures in an interval; a faster source counts as this fast."""

_PAUSE = 1.0
"""Longest pause between two pictures in seconds; after a longer pause the source may be new, and watching restarts."""


class PhaseLock:
    """Watches the pictures of a sink, and moves the sink's ticks to a better phase.

    Without a simple ratio between the source's rate and the canvas rate, or with a lot of jitter, pictures arrive at
    any moment of the interval. Then every phase is equally good, and the tick stays.
    """

    def __init__(self, rate: Fraction, epoch: float) -> None:
        """`rate` and `epoch` are the same as for the sink's clock (see `Pacer`)."""
        self._rate, self._epoch = float(rate), epoch
        self._shift = 0.0  # of the last tick, in intervals
        self._seq, self._posted = 0, -math.inf  # of the newest picture
        self._forget()

    def _forget(self) -> None:
        """Begin to watch anew."""
        self._spacing = 0.0  # usual time between two pictures of the source, in intervals of the clock
        self._per_interval = 1  # pictures of the source in an interval of the clock, at least 1
        self._mean = 0j  # of the arrivals as points on a circle; a full turn is the time between two pictures
        self._seen = 0  # pictures

    def on_picture(self, seq: int, posted: float) -> None:
        """Note `seq` and `posted` of the newest frame at a tick; call only if the frame arrived since the last tick."""
        pictures, seconds = seq - self._seq, posted - self._posted
        self._seq, self._posted = seq, posted
        if pictures <= 0 or seconds > _PAUSE:
            self._forget()
            return
        self._seen += 1
        share = max(1 / self._seen, 1 / _MEMORY)
        self._spacing += share * (seconds * self._rate / pictures - self._spacing)
        per_interval = max(1, round(1 / max(self._spacing, 1 / _MOST)))
        if per_interval != self._per_interval:
            self._per_interval, self._mean, self._seen = per_interval, 0j, 1
        turn = 2 * math.pi * per_interval * ((posted - self._epoch) * self._rate % 1)
        self._mean += share * (cmath.rect(1, turn) - self._mean)

    def next(self) -> float:
        """Return the shift of the next tick in seconds; call once for each tick."""
        if self._seen >= _FEWEST and abs(self._mean) > _CONCENTRATED and self._all_seen:
            error = (self._target() - self._shift) * _GAIN
            self._shift += min(SLEW, max(-SLEW, error))
        return self._shift / self._rate

    @property
    def _all_seen(self) -> bool:
        """Whether arrivals at any phase are seen: of a fast source, only the last arrival before a tick is seen."""
        return self._spacing > 1 or abs(self._spacing * self._per_interval - 1) < _OFF_RATE

    def _target(self) -> float:
        """Return the nearest shift half way between arrivals and within `BOUND`, in intervals."""
        middle = (cmath.phase(self._mean) / (2 * math.pi) + 0.5) / self._per_interval
        first = math.ceil((-BOUND - middle) * self._per_interval)
        last = math.floor((BOUND - middle) * self._per_interval)
        nearest = round((self._shift - middle) * self._per_interval)
        return middle + min(last, max(first, nearest)) / self._per_interval
