"""Which knob or pad of a MIDI controller changes what; learned by turning the knob, and kept in a file of JSON."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from sdstream.errors import Unavailable, reason
from sdstream.system.atomic_file import write_atomically

MOST = 256
"""Bindings at most."""
Source = Literal["knob", "pad", "wheel"]
"""A control change, a note, or the pitch wheel."""


@dataclass(frozen=True)
class Place:
    """A knob, a pad or the wheel of a controller."""

    source: Source
    channel: int
    """0 to 15."""
    number: int = 0
    """Number of the control change or of the note, 0 to 127."""

    def __str__(self) -> str:
        number = "" if self.source == "wheel" else f" {self.number}"
        return f"{self.source}{number} (channel {self.channel + 1})"


@dataclass(frozen=True)
class Binding:
    """The effect of a knob or a pad: either `preset`, or `control` with an optional `value`."""

    place: Place
    control: str = ""
    value: str | float | bool | None = None
    """Value that a pad sets; None: a pad switches on and off, or goes to the next choice, and a knob turns."""
    preset: str = ""


class Bindings:
    """The bindings of a file; a place has one binding."""

    def __init__(self, path: Path) -> None:
        """Read `path`; a file that does not exist holds no bindings. Raises Unavailable for an unreadable file."""
        self._path = path
        self._by_place = {binding.place: binding for binding in _read(path)}

    @property
    def all(self) -> list[Binding]:
        """The bindings in the order of learning."""
        return list(self._by_place.values())

    def at(self, place: Place) -> Binding | None:
        """Return the binding of a place; None without one."""
        return self._by_place.get(place)

    def keep(self, binding: Binding) -> None:
        """Keep a binding, in place of the older binding of the place.

        Raises ValueError above the limit, Unavailable when the file cannot be written.
        """
        if binding.place not in self._by_place and len(self._by_place) >= MOST:
            raise ValueError(f"{MOST} knobs and pads are the most; forget one first")
        self._write({**self._by_place, binding.place: binding})

    def forget(self, name: str) -> int:
        """Forget the bindings to a control or a preset, and return their number. Raises Unavailable."""
        kept = {place: one for place, one in self._by_place.items() if name not in (one.control, one.preset)}
        gone = len(self._by_place) - len(kept)
        if gone:
            self._write(kept)
        return gone

    def _write(self, bindings: Mapping[Place, Binding]) -> None:
        text = json.dumps({"version": 1, "bindings": [asdict(one) for one in bindings.values()]}, indent=1)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(self._path, text.encode())
        except OSError as error:
            raise Unavailable(f"cannot write the MIDI bindings to {self._path}: {reason(error)}") from error
        self._by_place = dict(bindings)


def _read(path: Path) -> list[Binding]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise Unavailable(f"cannot read the MIDI bindings in {path}: {reason(error)}") from error
    try:
        return [_binding(each) for each in json.loads(text)["bindings"]]
    except (ValueError, KeyError, TypeError) as error:
        why = f"{path} holds no MIDI bindings ({reason(error)})"
        raise Unavailable(f"{why}; move the file away to begin anew") from error


def _binding(saved: dict[str, Any]) -> Binding:
    return Binding(**{**saved, "place": Place(**saved["place"])})
