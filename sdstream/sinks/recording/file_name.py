"""Names a recording: dates in the name, and a number for a name that is taken."""

import itertools
import os
import re
import time
from pathlib import Path

from sdstream.errors import Forbidden, Unavailable
from sdstream.log import get_logger

ADVICE = "expected an existing folder with write permission and free space"
"""Advice after a failure to write a file."""

_OBS = {"%CCYY": "%Y", "%YY": "%y", "%MM": "%m", "%DD": "%d", "%hh": "%H", "%mm": "%M", "%ss": "%S"}
_PATTERN = re.compile(f"{'|'.join(_OBS)}|%[YymdHMSjFaAbBpI%]")
_PROTOCOL = re.compile(r"\w[\w+.-]*://|(pipe|tee|md5|crypto|fd|unix|async|cache|data|concat|subfile):", re.IGNORECASE)


def file_of(url: str) -> Path | None:
    """Return the file of `url`, with `~` expanded; None for a server or a protocol of FFmpeg."""
    plain = re.sub(r"^file:(//(localhost)?(?=/))?", "", url, flags=re.IGNORECASE)
    if plain == url and _PROTOCOL.match(url):
        return None
    return Path(plain).expanduser()


def dated(name: str, now: time.struct_time) -> str:
    """Return `name` with the patterns of strftime (`%Y-%m-%d`) and of OBS (`%CCYY-%MM-%DD %hh-%mm-%ss`) filled in.

    A `%` in front of other letters stays.
    """
    return _PATTERN.sub(lambda found: time.strftime(_OBS.get(found[0], found[0]), now), name)


def make_recording(wanted: Path, now: time.struct_time) -> tuple[int, Path]:
    """Make an empty file under the name `wanted`, dated; return descriptor and path.

    A name that is taken gets the first free number (show-2.mkv), and the log says so. The descriptor may read, because
    a muxer may. Folders with a date in the name are made. Raises Unavailable for a file that cannot be made, Forbidden
    without write permission.
    """
    path = Path(dated(str(wanted), now))
    try:
        if path.parent != wanted.parent:
            path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, free = _first_free(path)
        _sync_folder(free.parent)
    except OSError as error:
        kind = Forbidden if isinstance(error, PermissionError) else Unavailable
        raise kind(f"output {path} cannot be opened: {error.strerror}; {ADVICE}") from error
    if free != path:
        get_logger().warning(
            "recording under a free name", wanted=str(path), file=str(free), reason="the name is taken"
        )
    return descriptor, free


def _first_free(path: Path) -> tuple[int, Path]:
    flags = os.O_CREAT | os.O_EXCL | os.O_RDWR | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)  # Windows
    for number in itertools.count(1):
        free = path if number == 1 else path.with_stem(f"{path.stem}-{number}")
        try:
            return os.open(free, flags, 0o666), free
        except FileExistsError:
            continue
    raise AssertionError  # the count has no end


def _sync_folder(folder: Path) -> None:
    """Write the name of a new file to the disk: a synced file without a name is lost at a power cut."""
    if os.name == "nt":
        return  # Windows cannot open a folder
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
