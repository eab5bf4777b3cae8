"""A process that only watches the clock: a late nap shows that the whole machine stood still.

A virtual machine stands still for up to a second at times. A test excuses the pictures that fell due meanwhile. The
program appends the length of each standstill to a file.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Self

NAP = 0.005
STANDSTILL = 0.1
"""Seconds that a nap may be late on a machine that is merely busy; a sink's clock catches up with 0.25."""


class StandstillWatch:
    """Watches the machine until the end of the block."""

    def __enter__(self) -> Self:
        self._file = Path(tempfile.mkstemp(prefix="standstills-")[1])
        self._process = subprocess.Popen([sys.executable, __file__, str(self._file)])
        return self

    def __exit__(self, *exc: object) -> None:
        self._process.kill()
        self._process.wait()
        self._file.unlink()

    def excused(self, fps: float) -> int:
        """Return how many pictures fell due, at most, while the machine stood still."""
        lengths = [float(line) for line in self._file.read_text().split("\n")[:-1]]
        return sum(int(length * fps) + 1 for length in lengths)


def watch(file: Path) -> None:
    """Note every standstill, for ever."""
    last = time.monotonic()
    while True:
        time.sleep(NAP)
        now = time.monotonic()
        if now - last > STANDSTILL:
            with file.open("a") as notes:
                notes.write(f"{now - last}\n")
        last = time.monotonic()


if __name__ == "__main__":
    watch(Path(sys.argv[1]))
