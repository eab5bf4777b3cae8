"""Checks of `doctor` for every configuration: Python, shared memory, disk."""

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from sdstream.system.finding import Finding

if TYPE_CHECKING:
    from sdstream.config.schema import Config

_GB = 1e9


def python() -> Finding:
    """Report version and path of this Python; 3.12 and later get the newer av."""
    return Finding("python", "ok", f"{sys.version.split()[0]} on {sys.platform}, {sys.executable}")


def shared_memory() -> Finding:
    """Check the room for pictures between processes: 720p at least, 4K at best, for two outputs."""
    from sdstream.ipc.mailbox import Mailbox
    from sdstream.ipc.shared_memory import MOUNT, enlarge, free_bytes

    free = free_bytes()
    if free is None:
        return Finding("shared memory", "ok", "kept by the system")
    small, large = (Mailbox.memory(size * 3, 3) + Mailbox.memory(size * 3, 2) for size in (1280 * 720, 3840 * 2160))
    if free >= large:
        return Finding("shared memory", "ok", f"{free / _GB:.1f} GB free")
    found = (
        f"{free / 1e6:.0f} MB free in {MOUNT}; two outputs take {small / 1e6:.0f} MB at 720p, {large / 1e6:.0f} at 4K"
    )
    return Finding("shared memory", "note" if free >= small else "missing", found, enlarge(large))


def shared_memory_for(config: "Config") -> Finding:
    """Check the room for the pictures of a run of `config`."""
    from sdstream.ipc.mailbox import Mailbox
    from sdstream.ipc.shared_memory import MOUNT, enlarge, free_bytes

    free, size, count = free_bytes(), config.canvas.width * config.canvas.height * 3, len(config.sinks)
    needed = Mailbox.memory(size, count + 1) + Mailbox.memory(size, count)
    if free is None:
        return Finding("shared memory", "ok", "kept by the system")
    found = f"{free / 1e6:.0f} MB free in {MOUNT}; this show takes {needed / 1e6:.0f} MB"
    if free >= needed:
        return Finding("shared memory", "ok", found)
    return Finding("shared memory", "missing", found, enlarge(needed))


def disk() -> Finding:
    """Check the room for models and recordings."""
    free = shutil.disk_usage(Path.cwd()).free
    if free < 10 * _GB:
        return Finding("disk", "note", f"{free / _GB:.1f} GB free; a model takes 2 to 7 GB", "make room")
    return Finding("disk", "ok", f"{free / _GB:.0f} GB free")
