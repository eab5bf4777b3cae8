"""How far behind the output's own timeline the sound must stay, to leave with the picture that it belongs to.

Two demands: the lag of the pictures, measured, and the lag that the sound itself has before it is here to be sent.
The larger one wins: late sound is better than sound with holes.
"""

from collections import deque

_WINDOW = 1.0  # seconds of pictures that the median is taken of: rides over a late tick, follows a new rung at once
_FEWEST = 5  # pictures that it is taken of at least, when the engine gives only a few a second
_ARRIVALS = 3.0  # seconds of arrivals that the sound's own lag is taken of
_LATEST = 0.95  # share of the arrivals that must be here in time; the rest is left to `_MARGIN`
_MARGIN = 0.010  # seconds; 4 ms of it are the fade that must be at hand when the sound ends
_STALL = 0.5  # seconds without sound after which it stopped, rather than came late
_SETTLE = 0.25  # seconds of watching sound and pictures before the first guess,
_ALONE = 1.0  # and of sound with no picture at all
_DRY = 0.010  # seconds that each hole adds to the margin,
_DRY_MOST = 0.1  # up to this; of which
_FORGET = 0.5 ** (1 / 30)  # so much is left after a second: half after thirty


class Lag:
    """Both measurements of one run of sound. `played` is the output's timeline: seconds of sound sent so far.

    A lag is `played - pts`, seconds, of any size and sign: the two timelines begin at different moments.
    """

    def __init__(self, early: float = 0.0) -> None:
        """`early`: seconds that the sink stamps sound before the picture that it came with."""
        self._early = early
        self._dry = 0.0
        self.restart()

    def restart(self) -> None:
        """Forget the measurements: the source opened anew, and its timeline may have moved."""
        self._delays: deque[tuple[float, float]] = deque()  # (played, now - pts) of pictures not shown before
        self._lags: deque[tuple[float, float]] = deque()  # (played, lag) of every tick
        self._needs: deque[tuple[float, float]] = deque()  # (played, lag) that a late arrival would have needed
        self._began: float | None = None  # played, at the first sound,
        self._seen: float | None = None  # and at the first picture
        self._end = 0.0
        self._arrived = 0.0
        self._need = 0.0
        self._is_dry = False

    @property
    def settled(self) -> bool:
        """Whether it has watched for long enough to be relied on."""
        if self._began is None:
            return False
        played = self._lags[-1][0]
        if self._seen is None:
            return played - self._began >= _ALONE
        return played - max(self._began, self._seen) >= _SETTLE

    def see_picture(self, played: float, now: float, delay: float | None) -> None:
        """Note the picture of this tick: its `delay` is `now - pts`, or None when it was shown before.

        A picture that is held grows old on purpose; the sound goes on as the last new one had it.
        """
        if self._seen is None:
            self._lags.clear()
        if delay is not None:
            self._seen = played if self._seen is None else self._seen
            self._delays.append((played, delay))
            _prune(self._delays, played - _WINDOW, _FEWEST)
        usual = _middle(self._delays) if self._delays else 0.0
        pts = now - (usual if delay is None else delay)
        self._lags.append((played, played - pts))
        _prune(self._lags, played - _WINDOW, 1)

    def see_sound(self, played: float, end: float, duration: float) -> None:
        """Note that sound is here up to pts `end`, and that `duration` seconds of it are wanted now."""
        if self._began is None:
            self._began = self._arrived = played
        elif end > self._end:
            self._arrive(played)
        self._end = end
        # If the next block is still to come, this is the lag that it would have taken.
        self._need = played - self._early + duration - end
        self._dry *= _FORGET**duration

    def ran_dry(self) -> None:
        """Note that the sound was not here in time; it counts if the sound goes on soon."""
        self._is_dry = True

    def _arrive(self, played: float) -> None:
        if played - self._arrived <= _STALL:
            self._needs.append((played, self._need))
            _prune(self._needs, played - _ARRIVALS, 1)
            if self._is_dry:
                self._dry = min(_DRY_MOST, self._dry + _DRY)
        self._is_dry = False
        self._arrived = played

    @property
    def pictures(self) -> float:
        """Lag of the pictures. Call it after `see_picture`."""
        return _middle(self._lags)

    @property
    def wanted(self) -> float:
        """Lag that the sound should have. Call it after `see_picture`."""
        if not self._needs:
            return self.pictures
        needs = sorted(need for _, need in self._needs)
        return max(self.pictures, needs[int(_LATEST * (len(needs) - 1))] + _MARGIN + self._dry)


def _middle(values: deque[tuple[float, float]]) -> float:
    """Return the median of the second of each pair (the upper one of two)."""
    return sorted(value for _, value in values)[len(values) // 2]


def _prune(values: deque[tuple[float, float]], oldest: float, fewest: int) -> None:
    while len(values) > fewest and values[0][0] < oldest:
        values.popleft()
