"""torch as a backend: runs any model on any device, as the model is."""

from typing import cast

import torch

from sdstream.config.engine import DiffusionSettings, NumberFormat
from sdstream.engine.autoencoder import Autoencoder
from sdstream.engine.eager.unet import ConditionedUNet
from sdstream.engine.models import Model
from sdstream.engine.networks import Job, Networks
from sdstream.engine.shared_module import copy_structure

_DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
"""The number formats that torch computes in."""


def obstacle(settings: DiffusionSettings, device: torch.device) -> str | None:
    """Return why torch cannot do what the settings ask, or None."""
    del device  # torch runs on all
    if settings.dtype != "auto" and settings.dtype not in _DTYPES:
        return f"it computes in {', '.join(_DTYPES)}, not in {settings.dtype} (engine.dtype: auto)"
    return None


def weights_dtype(settings: DiffusionSettings, device: torch.device) -> torch.dtype:
    """Return the dtype that the settings name; `auto` is float32 on a CPU and float16 elsewhere."""
    if settings.dtype == "auto":
        return torch.float32 if device.type == "cpu" else torch.float16
    return _DTYPES[settings.dtype]


def number_format(model: Model, settings: DiffusionSettings) -> NumberFormat:
    """Return the format of the model's weights: torch computes in that."""
    del settings
    return cast(NumberFormat, str(model.unet.dtype).removeprefix("torch."))  # torch has the settings' names


def make(job: Job) -> Networks:
    """Make the networks ready. Raises Unavailable for a U-Net whose attention is not Stable Diffusion's."""
    return to_networks(job, make_unet(job), make_autoencoder(job))


def make_unet(job: Job) -> ConditionedUNet:
    """Make the U-Net on a copy of the model's module."""
    return ConditionedUNet(
        job.model.unet,
        prompt_cache=job.settings.prompt_cache,
        time_ids=job.model.time_ids(job.size),
        controlnets=job.controlnets,
        loras=job.loras,
    )


def make_autoencoder(job: Job) -> Autoencoder:
    """Make the autoencoder on a copy of the model's module."""
    return Autoencoder(copy_structure(job.model.autoencoder))


def to_networks(job: Job, unet: ConditionedUNet, autoencoder: Autoencoder) -> Networks:
    """Put the two together."""
    return Networks(unet, autoencoder, number_format(job.model, job.settings), job.threads)
