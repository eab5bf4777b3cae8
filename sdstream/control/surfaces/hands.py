"""The newest value of each control from all surfaces, and when each value is due."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sdstream.control.surfaces.beat import Beat
from sdstream.control.surfaces.glide import Glides
from sdstream.controls.knobs import Knob
from sdstream.controls.present import number_of, value_of

PATCHES_A_SECOND = 25.0
"""How often the newest values go to the control desk at most."""
MOST = 256
"""Controls and presets that wait at most."""


@dataclass(frozen=True)
class _Due:
    at: float
    value: Any  # JSON
    by: str


class Hands:
    """Takes values from surfaces, and gives the values that are due. Time is an argument (monotonic seconds)."""

    def __init__(self, beats: int) -> None:
        """`beats`: changes that cannot glide wait for the next beat (1), for the next bar (4), or for nothing (0)."""
        self.beat = Beat()
        self._beats = beats
        self._glides = Glides()
        self._gliding: dict[str, str] = {}
        self._waiting: dict[str, _Due] = {}
        self._presets: dict[str, _Due] = {}

    def turn(self, knob: Knob, value: object, controls: Mapping[str, Any], by: str, now: float) -> None:
        """Take a value of a control; `controls` are the controls in force as nested JSON, `by` is the origin.

        More than `MOST` controls at once are dropped. Raises ValueError for a value that the control does not take.
        """
        wanted = knob.value(value)
        if knob.name not in self._gliding and len(self._gliding) + len(self._waiting) >= MOST:
            return
        present = number_of(knob.name, value_of(controls, knob.name))
        if knob.glide and present is not None and not isinstance(wanted, str):
            self._waiting.pop(knob.name, None)
            self._glides.go(knob.name, present, float(wanted), knob.glide, now)
            self._gliding[knob.name] = by
        else:
            self._glides.stop(knob.name)
            self._gliding.pop(knob.name, None)
            at = now if knob.kind == "number" else self._on_beat(knob.name, now)
            self._waiting[knob.name] = _Due(at, wanted, by)

    def recall(self, preset: str, seconds: float, by: str, now: float) -> None:
        """Take the name of a preset; only the newest preset comes on air."""
        self._presets = {preset: _Due(self.beat.next(now, self._beats), seconds, by)}

    def due(self, now: float) -> dict[str, dict[str, Any]]:
        """Return the changes due at `now`: for each origin the values by dotted name. Each value comes once."""
        changes: dict[str, dict[str, Any]] = {}
        for name, value in self._glides.at(now).items():
            changes.setdefault(self._gliding[name], {})[name] = value
        self._gliding = {name: by for name, by in self._gliding.items() if name in self._glides}
        for name, due in list(self._waiting.items()):
            if due.at <= now:
                changes.setdefault(due.by, {})[name] = due.value
                del self._waiting[name]
        return changes

    def preset_due(self, now: float) -> tuple[str, float] | None:
        """Return the name of a preset that is due, and the seconds of the crossfade; None without one."""
        for name, due in self._presets.items():
            if due.at <= now:
                self._presets = {}
                return name, float(due.value)
        return None

    def _on_beat(self, name: str, now: float) -> float:
        return now if name == "air" else self.beat.next(now, self._beats)  # the panic switch waits for no music
