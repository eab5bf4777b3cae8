"""Tells from a stage's counters whether its process hangs."""

from sdstream.ipc.context import BEAT, BORN, READY
from sdstream.ipc.counters import Counters

_LOADING = 120.0
"""Seconds that a process may take until its body begins. All that happens before is the start of Python and its
libraries, which no server or device can hold up: a machine that needs so long for it is slow, and would be as slow
the next time. Four stages that start at once in an emulated machine of one core take half a minute."""
_SUSPENDED = 1.0
"""If more seconds passed between two looks, the supervisor itself was suspended (Ctrl-Z, a paused container). The
stages were suspended as well, so that missing signs of life prove nothing."""


class SignsOfLife:
    """Watches the signs of life of one stage. All times are `time.monotonic()` seconds."""

    def __init__(self, counters: Counters, hang_after: float, open_deadline: float) -> None:
        """Allow `hang_after` seconds of silence once the body is ready, `open_deadline` while the body opens."""
        self._counters = counters
        self._hang_after = hang_after
        self._open_deadline = open_deadline
        self._looked = 0.0
        self._resumed = 0.0

    @property
    def ready(self) -> bool:
        """Whether the body has opened what it needs."""
        return self._counters.get(READY) > 0

    def started(self, now: float) -> None:
        """Begin to watch a fresh process."""
        self._looked = now

    def overdue(self, now: float) -> float | None:
        """Return the seconds of silence if the process hangs, else None."""
        if now - self._looked > _SUSPENDED:
            self._resumed = now
        self._looked = now
        quiet = now - max(self._resumed, self._counters.get(BEAT))
        return quiet if quiet > self._patience else None

    @property
    def _patience(self) -> float:
        if self.ready:
            return self._hang_after
        return self._open_deadline if self._counters.get(BORN) else max(_LOADING, self._open_deadline)
