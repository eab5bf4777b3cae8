"""A U-Net on its own, in place of the base model's: a safetensors file, or a folder in diffusers layout.

Distilled U-Nets are published so. `Any` stands for the modules of diffusers: diffusers publishes no types.
"""

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from sdstream.engine.weights.base_model import BaseModel
from sdstream.engine.weights.component import component, empty, fill, loading, refuse_unused
from sdstream.engine.weights.file_kind import refuse_unless_unet
from sdstream.engine.weights.files import check_safetensors, locate, refuse_pickle

ORIGINAL = "model.diffusion_model."
"""Prefix of the U-Net's weights in the original Stable Diffusion code; ComfyUI saves a lone U-Net with the prefix."""


def load_unet(name: str, config: dict[str, Any], dtype: torch.dtype) -> Any:
    """Load the U-Net `name`. A file has no config, and gets the base model's; a folder has a config of its own.

    Raises Unavailable with the file and the reason.
    """
    from diffusers import UNet2DConditionModel

    path = locate(name, "U-Net")
    if path.is_dir():
        folder = path / "unet" if (path / "unet").is_dir() else path
        return component(UNet2DConditionModel, folder, "U-Net", torch_dtype=dtype)
    refuse_pickle(path, f"U-Net: {path}")
    refuse_unless_unet(path, check_safetensors(path).shapes, BaseModel.of(config))
    with loading(f"U-Net: {path} does not fit the base model and"):
        return fill(empty(lambda: UNet2DConditionModel.from_config(config)), _read(path, config), dtype)


def _read(path: Path, config: dict[str, Any]) -> dict[str, torch.Tensor]:
    """Return the weights by diffusers' names."""
    from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint

    state = load_file(path)
    bare = {key.removeprefix(ORIGINAL): tensor for key, tensor in state.items()}
    if not any(key.startswith("input_blocks.") for key in bare):
        return bare
    converted: dict[str, torch.Tensor] = convert_ldm_unet_checkpoint(
        {ORIGINAL + key: tensor for key, tensor in bare.items()}, config
    )
    refuse_unused(bare, converted, "U-Net of the base model")
    return converted
