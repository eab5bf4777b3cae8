"""Where in its interval a sink's tick belongs, so that each tick finds one picture. Time is an argument.

Pictures that arrive about when a tick is due come two before one tick and none before the next, though nothing is
late. So the tick is moved to a place half way between two arrivals. That costs half an interval of delay, which is what
a clock that was started at any moment costs on average.
"""

import cmath
import math
from fractions import Fraction

SLEW = 0.01
"""Share of an interval that a tick may move against the tick before: a third of a millisecond at 30 pictures a second,
a hundredth of what a player's clock takes for jitter; half an interval takes two seconds."""

BOUND = 0.75
"""Intervals that a tick may be away from its due time on the run's clock. Half an interval reaches any place. The rest
lets a source whose clock is a little off slip by one picture now and then, instead of to and fro at the edge."""

_GAIN = 1 / 16
"""Share of the error that one tick corrects."""

_MEMORY = 32
"""Pictures over which arrivals are averaged."""

_FEWEST = 12
"""Pictures that must have arrived before any tick moves."""

_CONCENTRATED = 0.4
"""Length of the mean arrival on the unit circle from which on ticks move: 1 is no jitter, 0 is arrivals at any
moment."""

_OFF_RATE = 0.05
"""Share by which the rate of a source may differ from a whole multiple of the clock's rate."""

_MOST = 8
"""Pictures in an interval above which a source counts as this fast."""

_PAUSE = 1.0
"""Seconds without a picture after which the next picture may be of another source."""


class PhaseLock:
    """Watches the pictures of one sink, and moves the sink's ticks where a better place exists.

    A source whose rate is no simple part or multiple of the canvas's rate arrives at any moment of the interval, and so
    does a source with a lot of jitter. Then every place is as good as another, and the tick stays where it is.
    """

    def __init__(self, rate: Fraction, epoch: float) -> None:
        """`rate` and `epoch` are the same as for the sink's clock (see `Pacer`)."""
        self._rate, self._epoch = float(rate), epoch
        self._shift = 0.0  # intervals by which the last tick was moved
        self._seq, self._posted = 0, -math.inf  # of the newest picture
        self._forget()

    def _forget(self) -> None:
        """Begin to watch anew."""
        self._spacing = 0.0  # usual time between two pictures of the source, in intervals of the clock
        self._per_interval = 1  # pictures of the source in an interval of the clock, at least one
        self._mean = 0j  # of the arrivals as points on a circle; once around is the time between two pictures
        self._seen = 0  # pictures

    def see(self, seq: int, posted: float) -> None:
        """Note the newest picture of a tick; call it only if the picture arrived since the last tick.

        `seq` and `posted` are the frame's.
        """
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
        """Return the seconds by which the next tick is moved; call it once for each tick."""
        if self._seen >= _FEWEST and abs(self._mean) > _CONCENTRATED and self._all_seen:
            error = (self._target() - self._shift) * _GAIN
            self._shift += min(SLEW, max(-SLEW, error))
        return self._shift / self._rate

    @property
    def _all_seen(self) -> bool:
        """Whether arrivals are seen wherever they fall: of a fast source only the last one before a tick is seen."""
        return self._spacing > 1 or abs(self._spacing * self._per_interval - 1) < _OFF_RATE

    def _target(self) -> float:
        """Return the nearest place within bounds that is half way between arrivals, in intervals."""
        place = (cmath.phase(self._mean) / (2 * math.pi) + 0.5) / self._per_interval
        first = math.ceil((-BOUND - place) * self._per_interval)
        last = math.floor((BOUND - place) * self._per_interval)
        nearest = round((self._shift - place) * self._per_interval)
        return place + min(last, max(first, nearest)) / self._per_interval
