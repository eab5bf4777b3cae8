"""Makes the file of a recording under a free name, and removes an empty file at the end."""

import contextlib
import itertools
from pathlib import Path

from sdstream.errors import Forbidden, Unavailable

ADVICE = "expected an existing folder with write permission and free space"
"""Advice for a file that cannot be written."""


def make_recording(wanted: Path, *, reopened: bool) -> Path:
    """Make the file `wanted`, or with `reopened` the first free number of that name (show-2.mkv); return the path.

    The empty file is made at once, because a second output may have the same name. Raises Unavailable if the file
    exists already or cannot be made, Forbidden without write permission.
    """
    for number in itertools.count(1):
        path = wanted if number == 1 else wanted.with_stem(f"{wanted.stem}-{number}")
        try:
            path.touch(exist_ok=False)
            break
        except FileExistsError as error:
            if not reopened:
                raise Unavailable(
                    f"{wanted} exists and is not overwritten; move the file away, or choose a different name"
                ) from error
        except OSError as error:
            kind = Forbidden if isinstance(error, PermissionError) else Unavailable
            raise kind(f"output {path} cannot be opened: {error.strerror}; {ADVICE}") from error
    return path


def remove_if_empty(path: Path) -> None:
    """Remove the file if empty: with a full disk, every try would leave an empty file."""
    with contextlib.suppress(OSError):
        if not path.stat().st_size:
            path.unlink()
