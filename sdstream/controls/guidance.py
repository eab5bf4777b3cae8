"""The controls of classifier-free guidance."""

from typing import Literal

from pydantic import Field

from sdstream.controls.base import Control, hand

GuidanceMode = Literal["none", "full", "self_negative", "onetime_negative"]
"""Source of the negative estimate of classifier-free guidance (paper section 3.3)."""


class Guidance(Control):
    """Classifier-free guidance: how hard the prompt pulls (paper section 3.3)."""

    mode: GuidanceMode = "self_negative"
    """Source of the negative, and its cost: `none` (a U-Net row a step), `full` (the negative prompt at every step: two
    rows), `self_negative` (the camera picture: a row) or `onetime_negative` (the negative prompt at the first step
    only: a row more for each frame)."""
    scale: float = Field(1.2, ge=0, le=30, json_schema_extra=hand(0, 5))
    """The paper's gamma; there is no guidance at 1 and below."""
    delta: float = Field(0.5, ge=0, le=5, json_schema_extra=hand(0, 2))
    """Strength of the virtual residual noise, for `self_negative` and `onetime_negative`."""
    distilled: float = Field(8.5, ge=1, le=30)
    """Guidance built into the model, for checkpoints with the guidance as an input (LCM); other models ignore it."""
