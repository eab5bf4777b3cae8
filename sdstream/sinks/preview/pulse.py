"""How a show goes, as a preview tells it: what is on air, how many new pictures a second, and how late they are."""

from collections import deque

from sdstream.frame import Frame

_SPAN = 3.0  # seconds over which the rate is taken


class Pulse:
    """Told of every tick; times are monotonic seconds."""

    def __init__(self) -> None:
        self._fresh: deque[float] = deque()
        self._last = 0.0
        self._latency: float | None = None

    def beat(self, now: float, showing: str, frame: Frame) -> None:
        """Note what was sent at `now`; `showing` is a rung of the ladder."""
        if showing == "live" and frame.captured != self._last:
            self._last = frame.captured
            self._latency = now - frame.captured
            self._fresh.append(now)
        while self._fresh and now - self._fresh[0] > _SPAN:
            self._fresh.popleft()
        if not self._fresh:
            self._latency = None

    @property
    def fps(self) -> float:
        """New restyled pictures a second."""
        if len(self._fresh) < 2:
            return 0.0
        return (len(self._fresh) - 1) / (self._fresh[-1] - self._fresh[0])

    @property
    def latency(self) -> float | None:
        """Seconds from the camera to here of the last new picture; None when there was none lately."""
        return self._latency
