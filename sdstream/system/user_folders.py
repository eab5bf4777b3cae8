"""Folders for the files of this user: the XDG base directories, or LOCALAPPDATA on Windows."""

import os
from pathlib import Path

from sdstream.errors import Unavailable


def state_folder() -> Path:
    """Return the folder for results of a run that help the next run; the folder may not exist yet."""
    return _folder("XDG_STATE_HOME", Path(".local", "state"))


def cache_folder() -> Path:
    """Return the folder for files that can be made again at any time; the folder may not exist yet."""
    return _folder("XDG_CACHE_HOME", Path(".cache"))


def _folder(variable: str, below_home: Path) -> Path:
    """Return the first that is set: environment `variable`, then LOCALAPPDATA (Windows), then `below_home`."""
    base = os.environ.get(variable) or os.environ.get("LOCALAPPDATA")
    return (Path(base) if base else _home(variable) / below_home) / "sdstream"


def _home(variable: str) -> Path:
    try:
        return Path.home()
    except RuntimeError as error:
        raise Unavailable(f"this user has no home folder: set HOME, or {variable} to a folder for files") from error
