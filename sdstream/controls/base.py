"""The base of all controls."""

from pydantic import BaseModel, ConfigDict, JsonValue

GLIDE = 0.15
"""Seconds of the way of a number from a knob with 128 positions: shorter steps are seen as steps."""


class Control(BaseModel):
    """Base of all controls: frozen, strict about unknown keys, without NaN; docstrings become the documentation."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)


def hand(low: float, high: float, glide: float = GLIDE) -> dict[str, JsonValue]:
    """Return, for the schema of a number, the part of the range that a hand plays in (`low` to `high`), and the seconds
    of the way to a new value from a knob or a fader."""
    return {"x-usual": [low, high], "x-glide": glide}
