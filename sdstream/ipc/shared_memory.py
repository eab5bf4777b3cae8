"""The room for shared memory: on Linux, a file system of a fixed and often small size.

If an array does not fit, multiprocessing silently takes a file on the disk instead. If only several arrays together do
not fit, the first write beyond the free space kills the writing process.
"""

import os
import sys
from pathlib import Path

from sdstream.errors import Unavailable

MOUNT = Path("/dev/shm")  # noqa: S108 - not a temporary file: the file system of shared memory


def free_bytes(mount: Path = MOUNT) -> int | None:
    """Return the free bytes of shared memory; None on a system without a limit for shared memory."""
    if sys.platform != "linux":
        return None
    if not os.access(mount, os.W_OK):  # absent, or of a different user
        return 0
    found = os.statvfs(mount)
    return found.f_bavail * found.f_frsize


def require(size: int, what: str, mount: Path = MOUNT) -> None:
    """Check for `size` free bytes for `what` (a plural). Raises Unavailable if fewer bytes are free."""
    free = free_bytes(mount)
    if free is not None and free < size:
        raise Unavailable(
            f"{what} need {_megabytes(size)} of shared memory, but {mount} has {_megabytes(free)} free; "
            f"run {enlarge(size)}, or take a smaller canvas or fewer sinks"
        )


def enlarge(size: int) -> str:
    """Return the command for at least `size` bytes of shared memory, in whole gigabytes."""
    gigabytes = size // 1_000_000_000 + 1
    return f"sudo mount -o remount,size={gigabytes}G {MOUNT} (in a container: --shm-size={gigabytes}g)"


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.0f} MB"
