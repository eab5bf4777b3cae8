"""Presets by name: some controls with values, kept in a file of JSON."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sdstream.errors import Unavailable, reason
from sdstream.system.atomic_file import write_atomically

MOST = 256
"""Presets at most."""
LARGEST = 64 * 1024
"""Bytes of a preset as JSON at most."""

Values = dict[str, Any]
"""Controls by dotted name, as JSON."""


class Presets:
    """The presets of a file, in the order of saving; the page gives the first nine the keys 1 to 9."""

    def __init__(self, path: Path) -> None:
        """Read `path`; a file that does not exist holds no presets. Raises Unavailable for an unreadable file."""
        self._path = path
        self._presets = _read(path)

    @property
    def all(self) -> Mapping[str, Values]:
        """The presets by name."""
        return dict(self._presets)

    def save(self, name: str, values: Values) -> None:
        """Keep `values` under `name`, in place of an earlier preset. Raises ValueError above the limits, Unavailable
        when the file cannot be written."""
        if name not in self._presets and len(self._presets) >= MOST:
            raise ValueError(f"{MOST} presets are the most; delete a preset first")
        if len(json.dumps(values).encode()) > LARGEST:
            raise ValueError(f"a preset takes {LARGEST} bytes at most")
        self._write(self._presets | {name: values})

    def delete(self, name: str) -> None:
        """Forget a preset. Raises KeyError for an unknown name, Unavailable when the file cannot be written."""
        if name not in self._presets:
            raise KeyError(name)
        self._write({other: values for other, values in self._presets.items() if other != name})

    def _write(self, presets: dict[str, Values]) -> None:
        text = json.dumps({"version": 1, "presets": presets}, ensure_ascii=False, indent=1)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(self._path, text.encode())
        except OSError as error:
            raise Unavailable(f"cannot write the presets to {self._path}: {reason(error)}") from error
        self._presets = presets


def _read(path: Path) -> dict[str, Values]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise Unavailable(f"cannot read the presets in {path}: {reason(error)}") from error
    try:
        presets = json.loads(text)["presets"]
        return {str(name): dict(values) for name, values in presets.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Unavailable(f"{path} holds no presets ({reason(error)}); move the file away to begin anew") from error
