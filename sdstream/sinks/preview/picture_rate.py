"""Measures the rate and the latency of new restyled pictures, for the status of a preview."""

from collections import deque

from sdstream.frame import Frame

_WINDOW = 3.0  # seconds of the mean


class PictureRate:
    """Rate and latency of the last few seconds; times are monotonic seconds."""

    def __init__(self) -> None:
        self._new: deque[float] = deque()
        self._last_captured = 0.0
        self._latency: float | None = None

    def record(self, now: float, rung: str, frame: Frame) -> None:
        """Record the frame sent at `now` from `rung` of the fallback ladder; call once a tick."""
        if rung == "live" and frame.captured != self._last_captured:
            self._last_captured = frame.captured
            self._latency = now - frame.captured
            self._new.append(now)
        while self._new and now - self._new[0] > _WINDOW:
            self._new.popleft()
        if not self._new:
            self._latency = None

    @property
    def fps(self) -> float:
        """New restyled pictures a second."""
        if len(self._new) < 2:
            return 0.0
        return (len(self._new) - 1) / (self._new[-1] - self._new[0])

    @property
    def latency(self) -> float | None:
        """Seconds from the camera to the sink, of the last new picture; None without a new picture for 3 s."""
        return self._latency
