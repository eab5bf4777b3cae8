"""How long a thread has waited for a processor: the scheduler's own account."""

import os


class RunDelay:
    """The account of the thread that makes the object; a reading takes 1 µs."""

    def __init__(self) -> None:
        self._file: int | None = None
        try:
            self._file = os.open("/proc/thread-self/schedstat", os.O_RDONLY)  # Linux's sched-stats, "schedstat"
        except OSError:  # not Linux, or a kernel without the account
            return

    def seconds(self) -> float:
        """Return the seconds so far in which the thread could run and had no processor; 0 where nobody counts."""
        if self._file is None:
            return 0.0
        try:
            return int(os.pread(self._file, 96, 0).split()[1]) / 1e9
        except (OSError, IndexError, ValueError):
            return 0.0

    def close(self) -> None:
        """Free the file; closing twice is harmless."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
