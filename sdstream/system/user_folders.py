"""Where files of this user belong: the XDG base directories, or what the system has in their place."""

import os
from pathlib import Path


def state_folder() -> Path:
    """Return the folder for what a run learned and the next run wants; it may not exist yet."""
    return _folder("XDG_STATE_HOME", Path(".local", "state"))


def cache_folder() -> Path:
    """Return the folder for what can be made again at any time; it may not exist yet."""
    return _folder("XDG_CACHE_HOME", Path(".cache"))


def _folder(variable: str, below_home: Path) -> Path:
    """Look into the environment: `variable`, then LOCALAPPDATA (Windows), then `below_home`."""
    base = os.environ.get(variable) or os.environ.get("LOCALAPPDATA") or Path.home() / below_home
    return Path(base) / "sdstream"
