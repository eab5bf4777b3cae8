"""The contract between engine and backends: a backend takes a `Job` and returns `Networks`.

A backend is a room beside this file; the room's `backend.py` has the functions of `Backend`. `acceleration` lists the
backends. Backends do not know each other.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from sdstream.config.engine import DiffusionSettings, NumberFormat
from sdstream.engine.adapters.controlnet import ControlNets
from sdstream.engine.adapters.image_prompt.ip_adapters import IpAdapters
from sdstream.engine.adapters.lora import Loras
from sdstream.engine.conditioning.condition import Condition
from sdstream.engine.denoising.stream_batch import Row
from sdstream.engine.frames.latent_batch import Coder
from sdstream.engine.frames.picture_batch import PictureBatch
from sdstream.engine.models import Model
from sdstream.engine.size import Size

CORES = torch.get_num_threads()
"""Torch's default number of threads."""


def without_additions(settings: DiffusionSettings) -> str | None:
    """Return the obstacle to a backend without ControlNets and IP-Adapters, or None."""
    if settings.controlnets:
        return f"runs no ControlNets (remove {next(iter(settings.controlnets))!r} from engine.controlnets)"
    if settings.ip_adapters:
        return f"runs no IP-Adapters (remove {next(iter(settings.ip_adapters))!r} from engine.ip_adapters)"
    return None


class RowUNet(Protocol):
    """The U-Net of Stream Batch."""

    def __call__(self, x: Tensor, timesteps: Tensor, rows: Sequence[Row[Condition]]) -> Tensor:
        """Run a call: x [rows, c, h, w] float32; the result has the same shape, and holds until the next call."""
        ...


class Preparation(Protocol):
    """Compiled graphs for future calls of a U-Net; a backend without compilation has none."""

    def demand(self, rows: int, *, together: bool, long: bool, wait: bool) -> None:
        """Compile for calls of `rows` rows, with cross-frame attention if `together`, for prompts of several stretches
        if `long`: now, or beside the running graphs without `wait`."""
        ...

    @property
    def preparing(self) -> str:
        """What is being compiled, in words; empty when everything is ready."""
        ...


@dataclass(frozen=True)
class Job:
    """The input of a backend."""

    model: Model
    """Computes the same after `make` as before, because two backends may run the same model: see `shared_module`. A
    backend may lay out the weights anew."""
    settings: DiffusionSettings
    size: Size
    """(width, height) of the model's pictures, in pixels."""
    controlnets: ControlNets
    loras: Loras
    """The adjustable LoRAs; LoRAs with `fuse: true` are in the model's weights."""
    ip_adapters: IpAdapters
    threads: int
    """CPU threads for the networks."""
    cache: Path | None
    """Folder for compiled artefacts, with a folder below for each backend; None keeps nothing."""


@dataclass(frozen=True)
class Networks:
    """The networks of a session, ready to run."""

    unet: RowUNet
    autoencoder: Coder
    dtype: NumberFormat
    """Number format of the computation."""
    torch_threads: int
    """Threads for torch beside the networks."""
    preparation: Preparation | None = None
    """None for a U-Net that takes any rows at once."""
    batches: Callable[[int], PictureBatch[Any]] | None = None  # a session knows the luggage
    """Returns an empty batch for a number of denoising stages; None for networks called one after the other."""


class Backend(Protocol):
    """A way to run a model."""

    def obstacle(self, settings: DiffusionSettings, device: torch.device) -> str | None:
        """Return the obstacle to the settings, with the setting to change in brackets; None without an obstacle."""
        ...

    def weights_dtype(self, settings: DiffusionSettings, device: torch.device) -> torch.dtype:
        """Return the dtype for loading a model's weights. Only for settings without an obstacle."""
        ...

    def number_format(self, model: Model, settings: DiffusionSettings) -> NumberFormat:
        """Return the number format of the networks of `make`; raises Unavailable for a refused model."""
        ...

    def make(self, job: Job) -> Networks:
        """Make the networks ready; may take minutes. Raises Unavailable for a refused model."""
        ...
