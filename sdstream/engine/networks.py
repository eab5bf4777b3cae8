"""The contract between the engine and its backends: the job that a backend is given, and the networks that it makes.

A backend is a room beside this file with a `backend.py`, whose functions are those of `Backend`; `acceleration` lists
the backends. Backends do not know each other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from sdstream.config.engine import DiffusionSettings, NumberFormat
from sdstream.engine.adapters.controlnet import ControlNets
from sdstream.engine.adapters.lora import Loras
from sdstream.engine.conditioning.condition import Condition
from sdstream.engine.denoising.stream_batch import Row
from sdstream.engine.models import Model
from sdstream.engine.size import Size
from sdstream.frame import Pixels

CORES = torch.get_num_threads()
"""Threads that torch takes by itself."""


class RowUNet(Protocol):
    """A U-Net as Stream Batch calls it."""

    def __call__(self, x: Tensor, timesteps: Tensor, rows: Sequence[Row[Condition]]) -> Tensor:
        """Run one call: x [rows, c, h, w] float32; the result is likewise, and holds until the next call."""
        ...


class Coder(Protocol):
    """An autoencoder between pictures in host memory and scaled latents."""

    def to_latent(self, pixels: Pixels) -> Tensor:
        """Encode one picture of the engine's size.  # [1, c, h, w] float32"""
        ...

    def to_picture(self, latent: Tensor) -> Pixels:
        """Decode one latent; the result is the caller's own."""
        ...


@dataclass(frozen=True)
class Job:
    """What a backend makes networks of."""

    model: Model
    """Never changed by a backend, because another backend may be running it: see `shared_module`."""
    settings: DiffusionSettings
    size: Size
    """(width, height) in pixels that the model works at."""
    controlnets: ControlNets
    loras: Loras
    """The adjustable LoRAs; LoRAs with `fuse: true` are in the model's weights."""
    threads: int
    """Threads of the CPU that the networks may use."""
    cache: Path | None
    """Folder below which compiled artefacts are kept, each backend's in a folder of its own; None keeps nothing."""


@dataclass(frozen=True)
class Networks:
    """What a session runs."""

    unet: RowUNet
    autoencoder: Coder
    dtype: NumberFormat
    """Number format that the networks compute in."""
    torch_threads: int
    """Threads that torch should have while these networks run."""


class Backend(Protocol):
    """A way to run a model."""

    def obstacle(self, settings: DiffusionSettings, device: torch.device) -> str | None:
        """Return why this backend cannot do what the settings ask, and in brackets what to change; None if it can."""
        ...

    def weights_dtype(self, settings: DiffusionSettings, device: torch.device) -> torch.dtype:
        """Return the dtype that a model's weights are to be loaded in. Only for settings without an obstacle."""
        ...

    def number_format(self, model: Model, settings: DiffusionSettings) -> NumberFormat:
        """Return the number format that `make` computes in; raises Unavailable for a model that it refuses."""
        ...

    def make(self, job: Job) -> Networks:
        """Make the networks ready, which may take minutes. Raises Unavailable for a model that cannot be run."""
        ...
