"""Moves a source's times onto the monotonic clock: picture and sound have a common offset, until the times jump."""

from dataclasses import dataclass

BACK = 0.5
"""Largest step backwards (seconds) that counts as jitter; a larger step is a jump."""
AHEAD = 10.0
"""Largest step ahead of the clock (seconds); a larger step is a jump. A slide show stays in step with the clock."""
_AGREES = 3.0  # largest distance from now (seconds) of a time that joins the newest epoch


@dataclass(slots=True)
class _Track:
    offset: float
    epoch: int
    last: float
    """Source time of the newest sample."""
    seen: float
    """Monotonic time of the arrival of the newest sample."""


class Timeline:
    """The times of an open source. All times in seconds.

    The first picture anchors the timeline: the time of the picture is now. When a publisher restarts, picture and sound
    jump at different moments. The first track to jump anchors a new epoch; the second track keeps the old offset until
    a jump, then joins the epoch. So picture and sound stay together.
    """

    def __init__(self) -> None:
        self._tracks: dict[str, _Track] = {}
        self._offset = 0.0
        self._epoch = 0

    @property
    def anchored(self) -> bool:
        """Whether a track has fixed an offset."""
        return self._epoch > 0

    def place(self, track: str, pts: float, now: float) -> float:
        """Return `pts` of a track ("picture" or "sound") on the monotonic clock."""
        state = self._tracks.get(track)
        if state is None or self._jumped(state, pts, now):
            state = self._join(0 if state is None else state.epoch, pts, now)
            self._tracks[track] = state
        state.last, state.seen = pts, now
        return pts + state.offset

    @staticmethod
    def _jumped(state: _Track, pts: float, now: float) -> bool:
        step = pts - state.last
        return step < -BACK or step > (now - state.seen) + AHEAD

    def _join(self, epoch: int, pts: float, now: float) -> _Track:
        """Join the newest epoch if the epoch is new to this track and `pts` is close to now; else begin an epoch."""
        if epoch == self._epoch or abs(pts + self._offset - now) > _AGREES:
            self._offset = now - pts
            self._epoch += 1
        return _Track(self._offset, self._epoch, pts, now)


class Presentation:
    """Chooses between a decoder's presentation and decoding times, because some files have wrong times of either kind.

    The rule is FFmpeg's `guess_correct_pts`: take the kind of time with fewer steps backwards. Pictures leave a decoder
    in the order of presentation, so after a step backwards the time is wrong, not the picture.
    """

    def __init__(self) -> None:
        self._last: list[float | None] = [None, None]
        self._faults = [0, 0]

    def choose(self, pts: float | None, dts: float | None) -> float | None:
        """Return the better of a picture's two times (seconds); None if both are missing."""
        for kind, time in enumerate((pts, dts)):
            last = self._last[kind]
            if time is None or (last is not None and time <= last):
                self._faults[kind] += 1
            if time is not None:
                self._last[kind] = time
        if pts is not None and (dts is None or self._faults[0] <= self._faults[1]):
            return pts
        return dts
