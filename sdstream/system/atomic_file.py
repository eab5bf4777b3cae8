"""Replaces a file completely or not at all, even after a crash or with several programs writing the same file."""

import os
import tempfile
from pathlib import Path


def write_atomically(path: Path, *parts: bytes, durable: bool = True) -> None:
    """Write `parts` in order to a temporary file in the folder of `path`, then rename to `path`. Raises OSError.

    `durable=False` does not wait for the disk, for writing on air: after a power cut the file may be damaged.
    """
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.writelines(parts)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise
