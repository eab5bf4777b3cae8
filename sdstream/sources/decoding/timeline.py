"""Moves a source's own times onto the monotonic clock: one offset for picture and sound, until they jump."""

from dataclasses import dataclass

BACK = 0.5
"""Seconds that times may run backwards before it is a jump; below, it is jitter."""
AHEAD = 10.0
"""Seconds that times may run ahead of the clock in one step before it is a jump (a slide show is none)."""
_AGREES = 3.0


@dataclass(slots=True)
class _Track:
    offset: float
    epoch: int
    last: float
    """Source time of the newest sample."""
    seen: float
    """Monotonic time when it came."""


class Timeline:
    """One per open source. All times in seconds.

    The first picture anchors it: it is shown as of now. When a publisher restarts, picture and sound jump at
    different moments; whichever jumps first anchors a new epoch, the other joins it, and until then keeps its own
    offset: so they stay together.
    """

    def __init__(self) -> None:
        self._tracks: dict[str, _Track] = {}
        self._offset = 0.0
        self._epoch = 0

    @property
    def anchored(self) -> bool:
        """Whether there is an offset yet."""
        return self._epoch > 0

    def place(self, track: str, pts: float, now: float) -> float:
        """Return where `pts` of a track ("picture" or "sound") lies on the monotonic clock."""
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
        """Join the newest epoch if another track began it and this time fits in; else begin one."""
        if epoch == self._epoch or abs(pts + self._offset - now) > _AGREES:
            self._offset = now - pts
            self._epoch += 1
        return _Track(self._offset, self._epoch, pts, now)


class Presentation:
    """Chooses between a decoder's presentation and decoding times: some files have one of them wrong.

    The rule is FFmpeg's `guess_correct_pts`: take the kind that has run backwards less often. Pictures leave a decoder
    in the order of their presentation, so a time before the last one is wrong, not the picture.
    """

    def __init__(self) -> None:
        self._last: list[float | None] = [None, None]
        self._faults = [0, 0]

    def choose(self, pts: float | None, dts: float | None) -> float | None:
        """Return the better of a picture's two times, None if it has neither."""
        for kind, time in enumerate((pts, dts)):
            last = self._last[kind]
            if time is None or (last is not None and time <= last):
                self._faults[kind] += 1
            if time is not None:
                self._last[kind] = time
        if pts is not None and (dts is None or self._faults[0] <= self._faults[1]):
            return pts
        return dts
