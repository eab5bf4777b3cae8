"""Settings of the stabiliser; the control `steadiness` says how firmly the picture is held."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from sdstream.config.base import Settings

Device = Literal["cpu", "cuda"]
"""Devices for the sweeps."""


class StabiliseSettings(Settings):
    """Settings of the stabiliser; `steadiness` is a control and comes with every frame."""

    sweeps: Annotated[int, Field(ge=5, le=256)] = 16
    """Red-black SOR sweeps a frame at 256x256; larger pictures get more sweeps, in proportion to the side."""

    flow_size: Annotated[int, Field(ge=64, le=1024)] = 256
    """Longest side, in pixels, of the camera pictures for motion estimation."""

    device: Device = "cpu"
    """Device for the sweeps: a CPU core, or a GPU (needs torch with CUDA)."""

    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    """Seed of the learner's exploration."""

    state: Path | None = None
    """Folder that keeps the learner's state between runs; by default a folder of the user (XDG_STATE_HOME)."""
