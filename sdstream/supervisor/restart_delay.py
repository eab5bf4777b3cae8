"""How long a stage waits before its next process: longer and longer while processes fail in a row."""

RESTART_DELAYS = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0)
"""Seconds before the first, second, … new process in a row. Not the source's `REOPEN_DELAYS`: starting a process
takes a second already, so the first delay only gives the system time to free the resources of the old process."""
SETTLED = 10.0
"""Seconds of life after which the next failure of a process counts as the first again."""


class RestartDelay:
    """Counts the failures in a row of a stage. All times are `time.monotonic()` seconds."""

    def __init__(self) -> None:
        self._started = 0.0
        self._in_a_row = 0
        self._due = 0.0

    @property
    def in_a_row(self) -> int:
        """Failures without `SETTLED` seconds of life in between."""
        return self._in_a_row

    def started(self, now: float) -> None:
        """Note that a process begins."""
        self._started = now

    def alive(self, now: float) -> None:
        """Note that the process still runs: after `SETTLED` seconds the delays begin anew."""
        if now - self._started > SETTLED:
            self._in_a_row = 0

    def failed(self, now: float) -> None:
        """Note a failure, and set the time of the next process."""
        self._due = now + RESTART_DELAYS[min(self._in_a_row, len(RESTART_DELAYS) - 1)]
        self._in_a_row += 1

    def skip(self) -> None:
        """Make the next process due now."""
        self._due = 0.0

    def over(self, now: float) -> bool:
        """Whether the next process is due."""
        return now >= self._due
