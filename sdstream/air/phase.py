"""Where in its interval a sink's tick belongs, so that each tick finds one picture. Time is an argument.

Pictures that arrive about when one is due come two before one tick and none before the next, though nothing is late.
So the tick is moved to where no picture arrives: half way between two. That costs half an interval of delay, which
is what a clock that was started at any moment costs on average.
"""

import cmath
import math
from fractions import Fraction

SLEW = 0.01
"""Share of an interval that a tick may move against the one before: a third of a millisecond at 30 pictures a second,
a hundredth of what a player's clock takes for jitter; half an interval takes two seconds."""
BOUND = 0.75
"""Intervals that a tick may be away from where the run's clock has it. Half of one reaches any place; the rest lets a
source whose clock is a little off slip by one picture now and then, instead of to and fro at the edge."""
_GAIN = 1 / 16  # share of the error that one tick mends
_MEMORY = 32  # pictures over which arrivals are averaged,
_FEWEST = 12  # and of which it takes so many before anything moves
_CONCENTRATED = 0.4  # length of their mean on the unit circle: 1 is no jitter, 0 is arrivals at any moment
_OFF_RATE = 0.05  # of a source that brings two pictures an interval, or any whole number, the rate may be off by this
_MOST = 8  # pictures an interval, at most, between which a tick is put
_PAUSE = 1.0  # seconds without a picture after which it may be another source


class PhaseLock:
    """Watches the pictures of one sink. It moves a tick only where a place is better than another.

    A source that has neither the canvas's rate nor a simple part or multiple of it arrives at any moment of the
    interval, as does one with a lot of jitter: then every place is as good, and the tick stays where it is.
    """

    def __init__(self, rate: Fraction, epoch: float) -> None:
        """`rate` and `epoch` are those of the sink's clock (see `Pacer`)."""
        self._rate, self._epoch = float(rate), epoch
        self._shift = 0.0  # intervals
        self._seq, self._posted = 0, -math.inf
        self._forget()

    def _forget(self) -> None:
        """Begin to watch anew."""
        self._interval = 0.0  # usual time between two pictures of the source, in the clock's intervals,
        self._each = 1  # and how many of them an interval has, one or more
        self._mean = 0j  # of the arrivals, as points on a circle: once around is the time between two of them
        self._seen = 0

    def see(self, seq: int, posted: float) -> None:
        """Note the newest picture of a tick, if it was not there at the last one."""
        pictures, seconds = seq - self._seq, posted - self._posted
        self._seq, self._posted = seq, posted
        if pictures <= 0 or seconds > _PAUSE:
            self._forget()
            return
        self._seen += 1
        share = max(1 / self._seen, 1 / _MEMORY)
        self._interval += share * (seconds * self._rate / pictures - self._interval)
        each = max(1, round(1 / max(self._interval, 1 / _MOST)))
        if each != self._each:
            self._each, self._mean, self._seen = each, 0j, 1
        turn = 2 * math.pi * each * ((posted - self._epoch) * self._rate % 1)
        self._mean += share * (cmath.rect(1, turn) - self._mean)

    def next(self) -> float:
        """Return by how much the next tick is moved, seconds; call it once for each tick."""
        if self._seen >= _FEWEST and abs(self._mean) > _CONCENTRATED and self._simple:
            error = (self._target() - self._shift) * _GAIN
            self._shift += min(SLEW, max(-SLEW, error))
        return self._shift / self._rate

    @property
    def _simple(self) -> bool:
        """Whether all arrivals are seen. Of a faster source only the last ones before a tick are, wherever that is."""
        return self._interval > 1 or abs(self._interval * self._each - 1) < _OFF_RATE

    def _target(self) -> float:
        """Return the nearest place within bounds that is half way between arrivals, in intervals."""
        place = (cmath.phase(self._mean) / (2 * math.pi) + 0.5) / self._each
        first = math.ceil((-BOUND - place) * self._each)
        last = math.floor((BOUND - place) * self._each)
        nearest = round((self._shift - place) * self._each)
        return place + min(last, max(first, nearest)) / self._each
