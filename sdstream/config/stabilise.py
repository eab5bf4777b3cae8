"""Settings of the stabiliser: fixed for a run; how firmly it holds the picture is a control (`steadiness`)."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from sdstream.config.base import Settings

Device = Literal["cpu", "cuda"]
"""Where the sweeps are done."""


class StabiliseSettings(Settings):
    """Settings of the stabiliser, fixed for a run; `steadiness` is a control and comes with every frame."""

    sweeps: Annotated[int, Field(ge=5, le=256)] = 16
    """Red-black SOR sweeps a frame at 256x256; larger pictures get more, in proportion to their side."""

    flow_size: Annotated[int, Field(ge=64, le=1024)] = 256
    """Longest side in pixels of the camera pictures in which motion is looked for."""

    device: Device = "cpu"
    """Where the sweeps are done: one processor core, or a GPU (needs torch with CUDA)."""

    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    """Number that the learner's exploration is drawn from."""

    state: Path | None = None
    """Folder in which what was learned is kept between runs; by default one of the user's (XDG_STATE_HOME)."""
