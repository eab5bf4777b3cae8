"""A full autoencoder on its own, in place of the base model's: a safetensors file, or a folder in diffusers layout.

`Any` stands for the modules of diffusers: diffusers publishes no types.
"""

from collections.abc import Mapping
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from sdstream.engine.weights.component import component, empty, fill, loading
from sdstream.engine.weights.file_kind import refuse_other_class, refuse_unless_vae
from sdstream.engine.weights.files import check_safetensors, locate, refuse_pickle

TRAINING = ("loss.", "model_ema.")
"""Prefixes of the original training code beside an autoencoder: the discriminator, and averages of the weights."""


def load_vae(name: str, config: Mapping[str, Any], dtype: torch.dtype) -> Any:  # JSON
    """Load the full autoencoder `name`. A file has no config, and gets `config`; a folder has a config of its own.

    Raises Unavailable with the file and the reason.
    """
    from diffusers import AutoencoderKL

    path = locate(name, "autoencoder")
    if path.is_dir():
        folder = path / "vae" if (path / "vae").is_dir() else path
        refuse_other_class(folder)
        return component(AutoencoderKL, folder, "autoencoder", torch_dtype=dtype)
    refuse_pickle(path, f"autoencoder: {path}")
    refuse_unless_vae(path, check_safetensors(path).shapes)
    with loading(f"autoencoder: {path} does not fit the base model and"):
        state = {key: value for key, value in load_file(path).items() if not key.startswith(TRAINING)}
        return fill(empty(lambda: AutoencoderKL.from_config(dict(config))), _converted(state, config), dtype)


def _converted(state: dict[str, Tensor], config: Mapping[str, Any]) -> dict[str, Tensor]:
    """Give the weights diffusers' names; raises ValueError for a weight without a place."""
    from diffusers.loaders.single_file_utils import convert_ldm_vae_checkpoint

    if any(key.startswith(("encoder.down_blocks.", "decoder.up_blocks.")) for key in state):
        return state
    converted: dict[str, Tensor] = convert_ldm_vae_checkpoint(state, dict(config))
    used = {tensor.untyped_storage().data_ptr() for tensor in converted.values()}  # 1x1 kernels become matrices
    if left := [key for key, tensor in state.items() if tensor.untyped_storage().data_ptr() not in used]:
        raise ValueError(f"{min(left)} has no place in an autoencoder of this architecture")
    return converted
