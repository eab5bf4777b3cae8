"""Looks for files named in settings; no name, however odd, raises anything but a mistake of the configuration."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import PydanticCustomError

NO_PERMISSION = "no_permission"
"""Type of pydantic's error for a file that this user may not look at."""
FORBIDDEN = "should be a file that this user may read; see `ls -ld` of the folders"
"""Message for such a file."""

_SCHEMA: JsonSchemaValue = {"type": "string", "format": "file-path"}


def expanded(name: str | Path) -> Path:
    """Return `name` as a path with the user's folder for `~`; a user without a folder leaves the path as written."""
    path = Path(name)
    try:
        return path.expanduser()
    except RuntimeError:  # ~nobody/x
        return path


def is_file(path: Path) -> bool:
    """Tell whether a regular file is at `path`. Raises PermissionError for a folder that this user may not enter."""
    try:
        return path.is_file()
    except PermissionError:
        raise
    except (OSError, ValueError):  # a name too long, or with a NUL
        return False


def exists(path: Path) -> bool:
    """Tell whether anything is at `path`; what this user may not look at counts as there."""
    try:
        return path.exists()
    except PermissionError:
        return True
    except (OSError, ValueError):
        return False


def _existing(path: Path) -> Path:
    try:
        found = is_file(path)
    except PermissionError as error:
        raise PydanticCustomError(NO_PERMISSION, FORBIDDEN) from error
    if not found:
        raise PydanticCustomError("path_not_file", "should be a file that exists")
    return path


ExistingFile = Annotated[Path, AfterValidator(_existing), WithJsonSchema(_SCHEMA)]
"""A file that exists: a name of too many letters is a mistake like any other, where pydantic's own type raises."""
