"""Tells from the counters of a stage whether the stage's process hangs."""

from sdstream.ipc.context import BEAT, BEGUN, READY
from sdstream.ipc.counters import Counters

_STARTING = 120.0
"""Seconds for a process to reach the body. Until then only Python and the libraries start, and no server or device can
hold up the start: on a slow machine, a new process would be as slow. Four stages starting at once in an emulated
machine with a single core take half a minute."""
_STOPPED = 5.0
"""Seconds of patience with a process that a signal has stopped, in every state: a stopped process is not slow. Programs
that limit processors stop a process for a part of a second, again and again (cpulimit)."""
_SUSPENDED = 1.0
"""If more seconds passed between two polls, the supervisor was suspended (Ctrl-Z, a paused container). The stages were
suspended as well, so missing signs of life prove nothing."""


class SignsOfLife:
    """Watches the signs of life of a stage. All times are `time.monotonic()` seconds."""

    def __init__(self, counters: Counters, hang_after: float, open_deadline: float) -> None:
        """Allow `hang_after` seconds of silence once the body is ready, `open_deadline` while the body opens."""
        self._counters = counters
        self._hang_after = hang_after
        self._open_deadline = open_deadline
        self._polled = 0.0
        self._resumed = 0.0
        self._went = 0.0

    @property
    def ready(self) -> bool:
        """Whether the body has finished opening."""
        return self._counters.get(READY) > 0

    def started(self, now: float) -> None:
        """Begin to watch a fresh process."""
        self._polled = self._went = now

    def overdue(self, now: float, stopped: bool = False) -> float | None:
        """Return the seconds of silence if the process hangs, else None; `stopped`: by a signal."""
        if now - self._polled > _SUSPENDED:
            self._resumed = now
        self._polled = now
        if not stopped:
            self._went = now
        silence = now - max(self._resumed, self._counters.get(BEAT))
        still = now - max(self._resumed, self._went)
        return silence if silence > self._timeout or min(still, silence) > _STOPPED else None

    @property
    def _timeout(self) -> float:
        if self.ready:
            return self._hang_after
        return self._open_deadline if self._counters.get(BEGUN) else max(_STARTING, self._open_deadline)
