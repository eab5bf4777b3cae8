"""What the stabiliser is told: settings for a run, and what the `steadiness` slider means."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

REFERENCE_SIDE = 256
"""The picture side at which the weights below were chosen; other sizes scale them, to keep the look."""

PRESETS = {"off": 0.0, "light": 0.4, "steady": 0.8, "frozen": 0.95}
"""Named places of the steadiness slider."""

_FULL = 0.8
"""Steadiness from which on the picture is held as firmly as the measured defaults do."""


class StabiliseSettings(BaseModel):
    """Settings of the stabiliser, fixed for a run; `steadiness` is a control and comes with every frame."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    sweeps: Annotated[int, Field(ge=5, le=256)] = 16
    """Red-black SOR sweeps a frame at 256x256; larger pictures get more, in proportion to their side."""

    flow_size: Annotated[int, Field(ge=64, le=1024)] = 256
    """Longest side in pixels of the camera pictures in which motion is looked for."""

    device: Literal["cpu", "cuda"] = "cpu"
    """Where the sweeps are done: one processor core, or a GPU (needs torch with CUDA)."""

    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    """Number that the learner's exploration is drawn from."""

    state: Path | None = None
    """Folder in which what was learned is kept between runs; without it, every run starts from the theory."""


@dataclass(frozen=True)
class Weights:
    """The weights of one fusion: (L + lam m + pull) O = div g + lam m Q + pull P, g = (1-beta m) dP + beta m dQ."""

    beta: float
    """Share of the previous output's gradients where motion is trusted, 0 to 0.95."""
    lam: float
    """Pull towards the previous output where motion is trusted."""
    pull: float
    """Pull towards the new picture everywhere: it bounds the cost, and lets a new style settle."""


def weights(steadiness: float, side: float) -> Weights:
    """Return the weights for a slider in (0, 1] and a picture whose mean side is `side` pixels.

    As the slider goes to 0 the pull towards the new picture outweighs the rest, so the fusion fades into a
    pass.
    """
    firmness = min(steadiness / _FULL, 1.0)
    scale = (REFERENCE_SIDE / side) ** 2
    return Weights(
        beta=min(steadiness, 0.95), lam=0.03 * firmness * scale, pull=(0.002 + 0.03 * (1.0 - firmness)) * scale
    )
