"""The file of a recording: its name, which may be taken already, and its end, which leaves no empty file behind."""

import contextlib
import itertools
from pathlib import Path

from sdstream.errors import Forbidden, Unavailable

ADVICE = "expected a folder that exists, may be written to and has room"
"""What to check when a file cannot be written."""


def make_recording(wanted: Path, *, again: bool) -> Path:
    """Make the file that was asked for, or with `again` the next number of it that is free (show-2.mkv); return it.

    Another output may be given the same name at the same moment, so the file is made here and now. Raises
    Unavailable if the file exists already or cannot be made, Forbidden if it may not be made.
    """
    for number in itertools.count(1):
        path = wanted if number == 1 else wanted.with_stem(f"{wanted.stem}-{number}")
        try:
            path.touch(exist_ok=False)
            break
        except FileExistsError as error:
            if not again:
                raise Unavailable(
                    f"{wanted} exists and is not overwritten; move it away, or name another file"
                ) from error
        except OSError as error:
            kind = Forbidden if isinstance(error, PermissionError) else Unavailable
            raise kind(f"output {path} cannot be opened: {error.strerror}; {ADVICE}") from error
    return path


def remove_if_empty(path: Path) -> None:
    """Leave no empty files behind: with a full disk there would be one for each try."""
    with contextlib.suppress(OSError):
        if not path.stat().st_size:
            path.unlink()
