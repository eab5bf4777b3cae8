"""Checkpoints in a single file, with weights named as in the original Stable Diffusion code: 1.x, 2.x and XL.

The converters come from diffusers. The weights' shapes leave open heads and noise schedule, so both come from configs:
the user's configs, the configs beside the file, or the standard configs of the architecture. `Any` stands for the
modules of diffusers and transformers: neither library publishes types.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

from sdstream.engine.conditioning.tokenizer import find_tokenizer
from sdstream.engine.conditioning.tower import Tower
from sdstream.engine.weights.checkpoint_header import TOWERS, UNET, VAE, CheckpointHeader
from sdstream.engine.weights.component import empty, fill, loading, refuse_unused
from sdstream.errors import Unavailable

UNUSED = ("text_projection", "text_projection.weight", "logit_scale")
"""Weights of CLIP that the first text encoder of no Stable Diffusion uses; mergers and ComfyUI save the weights."""


class Checkpoint(CheckpointHeader):
    """The parts of a file, by name in diffusers layout. Every method raises Unavailable with file and reason."""

    def unet(self, dtype: torch.dtype) -> Any:
        """Load the U-Net."""
        from diffusers import UNet2DConditionModel
        from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint

        config = self.config("unet")
        with self._loading("U-Net", UNET):
            state = self._read(UNET)
            converted = convert_ldm_unet_checkpoint(state, config)
            refuse_unused(state, converted, "U-Net of this architecture")
            return fill(empty(lambda: UNet2DConditionModel.from_config(config)), converted, dtype)

    def autoencoder(self, dtype: torch.dtype) -> Any:
        """Load the full autoencoder."""
        from diffusers import AutoencoderKL
        from diffusers.loaders.single_file_utils import convert_ldm_vae_checkpoint

        self.refuse_without_autoencoder()
        config = self.config("vae")
        with self._loading("autoencoder", VAE):
            converted = convert_ldm_vae_checkpoint(self._read(VAE), config)
            return fill(empty(lambda: AutoencoderKL.from_config(config)), converted, dtype)

    def towers(self, device: torch.device, dtype: torch.dtype, *, pooled: bool) -> list[Tower]:
        """Load the text encoders, each with a tokenizer."""
        present = [(name, prefix, open_clip) for prefix, (name, open_clip) in TOWERS.items() if self._has(prefix)]
        self.refuse_without_text_encoder()
        towers = []
        for name, prefix, open_clip in sorted(present):
            encoder = self._encoder(name, prefix, dtype).to(device)
            tokenizer_name = name.replace("text_encoder", "tokenizer")
            tokenizer = find_tokenizer(self._configs, tokenizer_name, zero_padded=open_clip)
            towers.append(Tower(tokenizer, encoder, penultimate=pooled))
        return towers

    def _encoder(self, name: str, prefix: str, dtype: torch.dtype) -> Any:
        import transformers
        from diffusers.loaders.single_file_utils import convert_ldm_clip_checkpoint, convert_open_clip_checkpoint

        kind = transformers.CLIPTextModelWithProjection if name.endswith("_2") else transformers.CLIPTextModel
        given = self.config(name)
        with self._loading("text encoder", prefix):
            model = empty(lambda: kind(kind.config_class.from_dict(given)))
            state = self._read(prefix)
            if TOWERS[prefix][1]:
                found = convert_open_clip_checkpoint(model, state, prefix)
            else:
                found = convert_ldm_clip_checkpoint(state)
            found = {key.removeprefix("text_model."): tensor for key, tensor in found.items()}
            found.pop("embeddings.position_ids", None)  # 0, 1, 2, … in older files
            for key in () if name.endswith("_2") else UNUSED:
                found.pop(key, None)
            # Only some versions of transformers have the prefix `text_model.`.
            full_names = {key.removeprefix("text_model."): key for key in model.state_dict()}
            return fill(model, {full_names.get(key, key): tensor for key, tensor in found.items()}, dtype)

    @contextmanager
    def _loading(self, what: str, prefix: str) -> Iterator[None]:
        if not self._has(prefix):
            raise Unavailable(f"{what}: model {self._file} has no {what}: expected tensors under {prefix}")
        with loading(f"{what}: {self._file}"):
            yield

    def _read(self, prefix: str) -> dict[str, Tensor]:
        with safe_open(self._file, framework="pt") as opened:
            return {key: opened.get_tensor(key) for key in self._shapes if key.startswith(prefix)}
