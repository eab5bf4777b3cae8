"""Where secrets come from: the environment, a file of variables, and the credentials of a service manager."""

import os
import stat
from collections.abc import Mapping
from io import StringIO
from pathlib import Path

from dotenv import dotenv_values

from sdstream.errors import Unavailable, reason

_LARGEST = 4096
"""Bytes of a credential at most: a key, not a document."""


def secrets_environment() -> Mapping[str, str]:
    """Return the environment's variables, and each credential of systemd (`LoadCredential=NAME:FILE`) by name.

    A variable counts more than a credential of the same name.
    """
    return {**_credentials(os.environ.get("CREDENTIALS_DIRECTORY")), **os.environ}


def read_env_file(path: Path) -> None:
    """Add the variables of a file (NAME=VALUE a line) to the environment; a variable already set stays.

    Raises Unavailable for a file that cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Unavailable(
            f"--env-file {path}: {reason(error)}; expected a file with NAME=VALUE on each line"
        ) from error
    for name, value in dotenv_values(stream=StringIO(text), interpolate=False).items():
        if value is not None:
            os.environ.setdefault(name, value)


def _credentials(folder: str | None) -> dict[str, str]:
    if not folder:
        return {}
    try:
        found = sorted(Path(folder).iterdir())
    except OSError:
        return {}
    return {path.name: value for path in found if (value := _text(path)) is not None}


def _text(path: Path) -> str | None:
    """Return the text of a small regular file without the last line break; None for anything else."""
    try:
        if not stat.S_ISREG(path.stat().st_mode) or path.stat().st_size > _LARGEST:
            return None
        return path.read_text(encoding="utf-8").rstrip("\n")
    except (OSError, UnicodeDecodeError):
        return None
