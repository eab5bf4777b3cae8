"""How far behind the output's own timeline the sound must stay, to leave with the picture that it belongs to.

Two demands: the lag of the pictures, measured, and the lag that the sound itself has before it is here to be sent.
The larger one wins: late sound is better than sound with holes. `sdstream bench constants --only lag` plays difficult
arrivals with a lower and a higher value of each constant below, and says whether the constant still holds.
"""

from collections import deque

WINDOW = 1.0
"""Seconds of pictures that the median lag is taken of: long enough to ride over a late tick, short enough to follow the
picture when another rung of the ladder is shown."""

FEWEST = 5
"""Pictures that the median is taken of at least, because a slow engine gives only a few in `WINDOW`."""

ARRIVALS = 3.0
"""Seconds of sound arrivals that the lag of the sound is taken of."""

LATEST = 0.95
"""Share of the sound arrivals that must be in time; `MARGIN` and the answer to holes take care of the rest."""

MARGIN = 0.010
"""Seconds that the sound waits longer than `LATEST` asks for; the fade at the end of sound needs 4 ms of the margin."""

STALL = 0.5
"""Seconds without sound after which the sound stopped; a shorter silence is sound that came late."""

SETTLE = 0.25
"""Seconds of sound and pictures that are watched before the first sound is sent."""

ALONE = 1.0
"""Seconds of sound without any picture that are watched before the first sound is sent."""

DRY = 0.010
"""Seconds by which each hole in the sound makes the margin larger."""

DRY_MOST = 0.1
"""Seconds by which holes make the margin larger at most."""

FORGET = 0.5 ** (1 / 30)
"""Share of the larger margin that is left after a second: half of the margin is left after thirty seconds."""


class Lag:
    """Both measurements of one run of sound. `played` is the output's timeline: seconds of sound sent so far.

    A lag is `played - pts`, seconds, of any size and sign: the two timelines begin at different moments.
    """

    def __init__(self, early: float = 0.0) -> None:
        """`early`: seconds that the sink stamps sound before the picture that the sound came with."""
        self._early = early
        self._extra = 0.0  # seconds of margin that holes have added
        self.restart()

    def restart(self) -> None:
        """Forget the measurements: the source opened anew, and its timeline may have moved."""
        self._delays: deque[tuple[float, float]] = deque()  # (played, now - pts) of pictures not shown before
        self._picture_lags: deque[tuple[float, float]] = deque()  # (played, lag) of every tick
        self._sound_lags: deque[tuple[float, float]] = deque()  # (played, least lag for an arrival to be in time)
        self._first_sound: float | None = None  # played
        self._first_picture: float | None = None  # played
        self._end = 0.0  # pts up to which sound is here
        self._arrived = 0.0  # played, when sound last arrived
        self._needed = 0.0  # lag for the next block to be in time, if the block arrived now
        self._is_dry = False

    @property
    def settled(self) -> bool:
        """Whether sound and pictures have been watched for long enough to rely on the measurements."""
        if self._first_sound is None:
            return False
        played = self._picture_lags[-1][0]
        if self._first_picture is None:
            return played - self._first_sound >= ALONE
        return played - max(self._first_sound, self._first_picture) >= SETTLE

    def see_picture(self, played: float, now: float, delay: float | None) -> None:
        """Note the picture of this tick: its `delay` is `now - pts`, or None when it was shown before.

        A picture that is held grows old on purpose; the sound goes on as the last new picture had it.
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

    def see_sound(self, played: float, end: float, duration: float) -> None:
        """Note that sound is here up to pts `end`, and that `duration` seconds of sound are wanted now."""
        if self._first_sound is None:
            self._first_sound = self._arrived = played
        elif end > self._end:
            self._see_arrival(played)
        self._end = end
        self._needed = played - self._early + duration - end
        self._extra *= FORGET**duration

    def ran_dry(self) -> None:
        """Note that the sound was not here in time; the hole counts if the sound goes on soon."""
        self._is_dry = True

    def _see_arrival(self, played: float) -> None:
        """Note the lag with which this arrival would have been in time. Sound after a stall tells nothing."""
        if played - self._arrived <= STALL:
            self._sound_lags.append((played, self._needed))
            _prune(self._sound_lags, played - ARRIVALS, 1)
            if self._is_dry:
                self._extra = min(DRY_MOST, self._extra + DRY)
        self._is_dry = False
        self._arrived = played

    @property
    def pictures(self) -> float:
        """Lag of the pictures. Call it after `see_picture`."""
        return _median(self._picture_lags)

    @property
    def wanted(self) -> float:
        """Lag that the sound should have. Call it after `see_picture`."""
        if not self._sound_lags:
            return self.pictures
        lags = sorted(lag for _, lag in self._sound_lags)
        return max(self.pictures, lags[int(LATEST * (len(lags) - 1))] + MARGIN + self._extra)


def _median(values: deque[tuple[float, float]]) -> float:
    """Return the median of the second of each pair (the upper one of two)."""
    return sorted(value for _, value in values)[len(values) // 2]


def _prune(values: deque[tuple[float, float]], oldest: float, fewest: int) -> None:
    while len(values) > fewest and values[0][0] < oldest:
        values.popleft()
