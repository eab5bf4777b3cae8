"""Reads the text of a configuration file, in bounded time and memory, whatever stands in the file's place."""

import os
import select
import stat
import time
from pathlib import Path

from sdstream.config.yaml_tree import MAX_BYTES, Where
from sdstream.errors import ConfigError, Forbidden
from sdstream.redact import one_line

WITHIN = 3.0
"""Seconds that a pipe or a terminal in the file's place has for the text."""


def read_text(path: Path) -> str:
    """Return the text of the file. Raise ConfigError, or Forbidden for a file that this user may not read."""
    shown = one_line(str(path))
    try:
        data = _read(path)
    except FileNotFoundError as error:
        raise ConfigError(f"{shown}: no such file; write a new file with: sdstream init {shown}") from error
    except IsADirectoryError as error:
        raise ConfigError(f"{shown}: is a directory; name a YAML file inside") from error
    except PermissionError as error:
        raise Forbidden(f"{shown}: this user may not read the file; see: ls -ld {shown}") from error
    except TimeoutError as error:
        raise ConfigError(f"{shown}: no end of the text within {WITHIN:.0f} s; name a file") from error
    except OSError as error:
        raise ConfigError(f"{shown}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(f"{shown}: no file can have this name") from error
    if len(data) > MAX_BYTES:
        raise ConfigError(f"{shown}: larger than {MAX_BYTES // 1024} kB; a configuration is smaller: name another file")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        where = Where(str(path), before.count(b"\n") + 1, error.start - before.rfind(b"\n"))
        raise ConfigError(f"{where}: not UTF-8 (byte {data[error.start]:#04x}); save the file as UTF-8") from error


def _read(path: Path) -> bytes:
    """Return up to a byte more than `MAX_BYTES`; a pipe without a writer is waited for, but not for ever."""
    if path.is_dir():
        raise IsADirectoryError
    # Without O_NONBLOCK, opening a pipe would wait for a writer.
    file = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))  # not on all systems
    with os.fdopen(file, "rb") as reader:
        return reader.read(MAX_BYTES + 1) if stat.S_ISREG(os.fstat(file).st_mode) else _until_its_end(file)


def _until_its_end(file: int) -> bytes:
    data, deadline = b"", time.monotonic() + WITHIN
    while len(data) <= MAX_BYTES:
        if not select.select([file], [], [], max(0.0, deadline - time.monotonic()))[0]:
            raise TimeoutError
        part = os.read(file, MAX_BYTES + 1 - len(data))
        if not part:
            break
        data += part
    return data
