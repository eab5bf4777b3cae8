"""Where the memory that processes share comes from. On Linux it is a file system of a fixed size, and often small.

What does not fit there multiprocessing would put into a file on the disk, without a word; and what fits only by its
promise kills the process that first writes to it.
"""

import os
import sys
from pathlib import Path

from sdstream.errors import Unavailable

PLACE = Path("/dev/shm")  # noqa: S108 - not a temporary file: the file system that shared memory lives on


def room(place: Path = PLACE) -> int | None:
    """Return how many bytes may still be shared; None where the system sets no limit of its own."""
    if sys.platform != "linux":
        return None
    if not os.access(place, os.W_OK):  # absent, or another user's
        return 0
    found = os.statvfs(place)
    return found.f_bavail * found.f_frsize


def require(size: int, what: str, place: Path = PLACE) -> None:
    """Make sure of `size` bytes for `what`, before they are taken. Raises Unavailable."""
    free = room(place)
    if free is not None and free < size:
        raise Unavailable(
            f"{what} need {_megabytes(size)} of shared memory, and {place} has {_megabytes(free)} free; "
            f"{enlarge(size)}, or take a smaller canvas or fewer sinks"
        )


def enlarge(size: int) -> str:
    """Return the line that makes room for `size` bytes, and some more."""
    gigabytes = size // 1_000_000_000 + 1
    return f"sudo mount -o remount,size={gigabytes}G {PLACE} (in a container: --shm-size={gigabytes}g)"


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.0f} MB"
