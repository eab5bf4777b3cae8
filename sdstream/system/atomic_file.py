"""Files that are replaced whole or not at all, whatever crashes and whoever else writes them at the same time."""

import os
import tempfile
from pathlib import Path


def write_atomically(path: Path, *parts: bytes, durable: bool = True) -> None:
    """Write `parts`, one behind the other, to `path` by way of a temporary file in the same folder. Raises OSError.

    Without `durable` the disk is not waited for: for writing on air. After a power cut the file may then be damaged.
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
