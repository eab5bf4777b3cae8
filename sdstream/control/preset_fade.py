"""The changes of controls that bring a preset on air over some seconds. Time is an argument."""

from collections.abc import Mapping
from typing import Any

from sdstream.control.presets import Values
from sdstream.controls.present import number_of, value_of

_BY_TRANSITION = ("prompt", "seed")  # the engine fades these by itself, over `transition` seconds
_WHOLE = ("seed", "transition", "cues_loop", "similarity.max_skips", "similarity.threshold")  # never in between


class PresetFade:
    """Moves numbers in a straight line, fades prompt and seed by the engine, and switches all the rest at once."""

    def __init__(self, present: Mapping[str, Any], preset: Values, began: float, seconds: float) -> None:
        """`present`: the controls in force as nested JSON; `preset`: the controls to reach, by dotted name."""
        self._target, self._began, self._seconds = dict(preset), began, seconds
        starts = {name: start for name in preset if (start := number_of(name, value_of(present, name))) is not None}
        self._moving = {
            name: (starts[name], end)
            for name, value in preset.items()
            if name in starts and name not in _WHOLE and (end := number_of(name, value)) is not None and seconds > 0
        }
        fades = seconds > 0 and any(name in preset for name in _BY_TRANSITION)
        self._restore = {"transition": preset.get("transition", present.get("transition", 0.0))} if fades else {}
        self._first = {name: value for name, value in preset.items() if name not in self._moving}
        self._first |= {"transition": seconds} if fades else {}
        self._begun = False
        self.done = False
        """Whether the preset is on air, and `at` has no further changes."""

    def at(self, now: float) -> Values:
        """Return the changes due at `now` (monotonic seconds), by dotted name; each value is returned once."""
        share = min(1.0, (now - self._began) / self._seconds) if self._seconds > 0 else 1.0
        changes = {} if self._begun else dict(self._first)
        self._begun = True
        for name, (start, end) in self._moving.items():
            changes[name] = self._target[name] if share >= 1 else start + (end - start) * share
        if share >= 1:
            changes |= self._restore
            self.done = True
        return changes

    def give_way(self, names: Mapping[str, Any]) -> None:
        """Leave `names` to a change by hand in the middle of the fade."""
        for name in names:
            self._moving.pop(name, None)
            self._restore.pop(name, None)
