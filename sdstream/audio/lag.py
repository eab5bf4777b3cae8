"""How far the sound must stay behind the output's timeline, so that sound leaves with the picture of the same pts.

Two lags are measured: the lag of the pictures, and the lag of the sound at arrival. The larger lag wins: late sound is
better than sound with holes. `sdstream bench constants --only lag` plays difficult arrivals with a lower and a higher
value of each constant below, and says whether the constant still holds.
"""

from collections import deque

WINDOW = 1.0
"""Seconds of pictures in the median lag: long enough to ignore a late tick, short enough to follow the picture after a
change of rung."""

FEWEST = 5
"""Least number of pictures in the median, because a slow engine gives only a few in `WINDOW`."""

ARRIVALS = 3.0
"""Seconds of sound arrivals in the lag of the sound."""

LATEST = 0.95
"""Share of the sound arrivals that must be in time; `MARGIN` and `UNDERRUN` take care of the rest."""

MARGIN = 0.010
"""Seconds of wait on top of the demand of `LATEST`; the fade at the end of sound needs 4 ms of the margin."""

STALL = 0.5
"""Seconds without sound after which the sound counts as stopped; after a shorter silence the sound was late."""

SETTLE = 0.25
"""Seconds of sound and pictures to watch before the first sound is sent."""

ALONE = 1.0
"""Seconds of sound without any picture to watch before the first sound is sent."""

UNDERRUN = 0.010
"""Seconds added to the margin by each hole in the sound."""

UNDERRUN_MOST = 0.1
"""Largest addition to the margin by holes, in seconds."""

FORGET = 0.5 ** (1 / 30)
"""Share of the addition left after a second: half of the addition is left after thirty seconds."""


class Lag:
    """Both measurements of a run of sound. `played` is the output's timeline: seconds of sound sent so far.

    A lag is `played - pts`, seconds, of any size and sign: the two timelines begin at different moments.
    """

    def __init__(self, early: float = 0.0) -> None:
        """`early`: the sink stamps sound this many seconds before the picture (see `Delay`)."""
        self._early = early
        self.shift = 0.0
        """Seconds by which the sound is wanted later than the picture."""
        self._extra = 0.0  # seconds added to the margin by holes
        self.restart()

    def restart(self) -> None:
        """Forget the measurements: the source opened anew, and its timeline may have moved."""
        self._delays: deque[tuple[float, float]] = deque()  # (played, now - pts) of pictures not shown before
        self._picture_lags: deque[tuple[float, float]] = deque()  # (played, lag) of every tick
        self._sound_lags: deque[tuple[float, float]] = deque()  # (played, least lag for an arrival to be in time)
        self._first_sound: float | None = None  # played
        self._first_picture: float | None = None  # played
        self._end = 0.0  # pts of the end of the sound so far
        self._arrived = 0.0  # played, when sound last arrived
        self._needed = 0.0  # lag for the next block to be in time, if the block arrived now
        self._in_underrun = False

    @property
    def settled(self) -> bool:
        """Whether sound and pictures have been watched for long enough to rely on the measurements."""
        if self._first_sound is None:
            return False
        played = self._picture_lags[-1][0]
        if self._first_picture is None:
            return played - self._first_sound >= ALONE
        return played - max(self._first_sound, self._first_picture) >= SETTLE

    def on_picture(self, played: float, now: float, delay: float | None) -> None:
        """Note the picture of this tick: `delay` is `now - pts`, or None for a picture shown before.

        A held picture grows old on purpose, so the sound keeps the lag of the last new pictures.
        """
        if self._first_picture is None:
            self._picture_lags.clear()
        if delay is not None:
            self._first_picture = played if self._first_picture is None else self._first_picture
            self._delays.append((played, delay))
            _prune(self._delays, played - WINDOW, FEWEST)
        usual = _median(self._delays) if self._delays else 0.0
        pts = now - (usual if delay is None else delay)
        self._picture_lags.append((played, played - pts))
        _prune(self._picture_lags, played - WINDOW, 1)

    def on_sound(self, played: float, end: float, duration: float) -> None:
        """Note that sound up to pts `end` has arrived, and that `duration` seconds of sound are needed now."""
        if self._first_sound is None:
            self._first_sound = self._arrived = played
        elif end > self._end:
            self._on_arrival(played)
        self._end = end
        self._needed = played - self._early + duration - end
        self._extra *= FORGET**duration

    def on_underrun(self) -> None:
        """Note a hole, because sound was late; the hole counts if the sound goes on soon."""
        self._in_underrun = True

    def _on_arrival(self, played: float) -> None:
        """Note the least lag for this arrival to be in time. Sound after a stall proves nothing."""
        if played - self._arrived <= STALL:
            self._sound_lags.append((played, self._needed))
            _prune(self._sound_lags, played - ARRIVALS, 1)
            if self._in_underrun:
                self._extra = min(UNDERRUN_MOST, self._extra + UNDERRUN)
        self._in_underrun = False
        self._arrived = played

    @property
    def pictures(self) -> float:
        """Lag of the pictures; call after `on_picture`."""
        return _median(self._picture_lags)

    @property
    def wanted(self) -> float:
        """The lag that the sound should have; call after `on_picture`."""
        in_step = self.pictures + self.shift
        if not self._sound_lags:
            return in_step
        lags = sorted(lag for _, lag in self._sound_lags)
        return max(in_step, lags[int(LATEST * (len(lags) - 1))] + MARGIN + self._extra)


def _median(values: deque[tuple[float, float]]) -> float:
    """Return the median of the second of each pair (the upper of two)."""
    return sorted(value for _, value in values)[len(values) // 2]


def _prune(values: deque[tuple[float, float]], oldest: float, fewest: int) -> None:
    while len(values) > fewest and values[0][0] < oldest:
        values.popleft()
