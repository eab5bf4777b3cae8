"""torch as a backend: runs any model on any device, without compilation."""

from typing import cast

import torch

from sdstream.config.engine import DiffusionSettings, NumberFormat
from sdstream.engine.autoencoder import Autoencoder
from sdstream.engine.eager.unet import ConditionedUNet
from sdstream.engine.models import Model
from sdstream.engine.networks import Job, Networks
from sdstream.engine.shared_module import copy_structure

_DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
"""The number formats of torch's arithmetic."""


def obstacle(settings: DiffusionSettings, device: torch.device) -> str | None:
    """Return why torch cannot serve the settings, or None."""
    del device  # torch runs on every device
    if settings.dtype != "auto" and settings.dtype not in _DTYPES:
        return f"computes in {', '.join(_DTYPES)}, not in {settings.dtype} (set engine.dtype: auto)"
    return None


def weights_dtype(settings: DiffusionSettings, device: torch.device) -> torch.dtype:
    """Return the dtype of the settings; `auto` is float32 on a CPU and float16 elsewhere."""
    if settings.dtype == "auto":
        return torch.float32 if device.type == "cpu" else torch.float16
    return _DTYPES[settings.dtype]


def number_format(model: Model, settings: DiffusionSettings) -> NumberFormat:
    """Return the format of the model's weights, the format of torch's arithmetic too."""
    del settings
    return cast(
        NumberFormat, str(model.unet.dtype).removeprefix("torch.")
    )  # torch's names are the names of the settings


def make(job: Job) -> Networks:
    """Make the networks. Raises Unavailable for a U-Net with attention unlike Stable Diffusion's."""
    return to_networks(job, make_unet(job), make_autoencoder(job))


def make_unet(job: Job) -> ConditionedUNet:
    """Make the U-Net on a copy of the model's module."""
    return ConditionedUNet(
        job.model.unet,
        prompt_cache=job.settings.prompt_cache,
        time_ids=job.model.time_ids(job.size),
        controlnets=job.controlnets,
        loras=job.loras,
        ip_adapters=job.ip_adapters,
    )


def make_autoencoder(job: Job) -> Autoencoder:
    """Make the autoencoder on a copy of the model's module."""
    return Autoencoder(copy_structure(job.model.autoencoder))


def to_networks(job: Job, unet: ConditionedUNet, autoencoder: Autoencoder) -> Networks:
    """Join U-Net and autoencoder as the result of a backend."""
    return Networks(unet, autoencoder, number_format(job.model, job.settings), job.threads)
