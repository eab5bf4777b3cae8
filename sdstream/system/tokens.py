"""The random tokens of running control servers, in files that only the user can read."""

import contextlib
import os
import tempfile
from pathlib import Path

from sdstream.errors import Unavailable, reason


def runtime_folder() -> Path:
    """Return the folder for files of running daemons: below XDG_RUNTIME_DIR, or below the temporary folder."""
    base = os.environ.get("XDG_RUNTIME_DIR")
    if base:
        return Path(base) / "sdstream"
    user = os.getuid() if hasattr(os, "getuid") else os.environ.get("USERNAME", "user")
    return Path(tempfile.gettempdir()) / f"sdstream-{user}"


def token_file(port: int) -> Path:
    """Return the file with the token of the control server at `port`."""
    return runtime_folder() / f"control-{port}.token"


def keep_token(port: int, token: str) -> None:
    """Write the token of the control server at `port`, readable by this user alone (mode 0600).

    Raises Unavailable when the folder belongs to another user, or cannot be written.
    """
    folder = runtime_folder()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        owner = folder.lstat()
        if hasattr(os, "getuid") and (owner.st_uid != os.getuid() or folder.is_symlink()):
            raise Unavailable(f"{folder} belongs to another user; set XDG_RUNTIME_DIR to a folder of your own")
        folder.chmod(0o700)
        path = token_file(port)
        path.unlink(missing_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(token)
    except OSError as error:
        raise Unavailable(f"cannot write the control server's token to {folder}: {reason(error)}") from error


def read_token(port: int) -> str:
    """Return the token of the control server at `port`; "" when no such server runs for this user."""
    with contextlib.suppress(OSError):
        return token_file(port).read_text()
    return ""


def forget_token(port: int) -> None:
    """Remove the file of a server that has ended."""
    with contextlib.suppress(OSError):
        token_file(port).unlink(missing_ok=True)
