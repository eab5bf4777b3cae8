"""Folders for the files of this user, at the places that each system knows (XDG on Linux)."""

from collections.abc import Callable
from pathlib import Path

import platformdirs

from sdstream.errors import Unavailable

_NAME = "sdstream"


def state_folder() -> Path:
    """Return the folder for results of a run that help the next run; the folder may not exist yet."""
    return _folder(lambda: platformdirs.user_state_path(_NAME, appauthor=False), "XDG_STATE_HOME")


def cache_folder() -> Path:
    """Return the folder for files that can be made again at any time; the folder may not exist yet."""
    return _folder(lambda: platformdirs.user_cache_path(_NAME, appauthor=False), "XDG_CACHE_HOME")


def _folder(place: Callable[[], Path], variable: str) -> Path:
    """Return the folder of `place`. Raises Unavailable for a user without a home folder."""
    try:
        return place()
    except RuntimeError as error:  # of Path.expanduser
        raise Unavailable(f"this user has no home folder: set HOME, or {variable} to a folder for files") from error
