"""A control's value by dotted name, and the value as a number."""

from collections.abc import Mapping
from typing import Any

from sdstream.controls import STEADINESS

_UNLISTED = {"loras": 0.0, "controlnets": 1.0, "ip_adapters": 1.0}  # the value of a name that the controls do not list


def value_of(controls: Mapping[str, Any], name: str) -> Any:  # JSON
    """Return the value of a name in controls as nested JSON; None for an unknown name."""
    section, _, rest = name.partition(".")
    inner = controls.get(section)
    if not rest:
        return inner
    return inner.get(rest, _UNLISTED.get(section)) if isinstance(inner, Mapping) else None


def number_of(name: str, value: object) -> float | None:
    """Return a control's value as a number, also for a preset of `steadiness`; None for other values."""
    if name == "steadiness" and isinstance(value, str):
        return STEADINESS.get(value)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
