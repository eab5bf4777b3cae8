"""Models for benchmarks: real architectures with random weights, without a download."""

from typing import Any

import torch

from sdstream.config.engine import DiffusionSettings
from sdstream.controls import Blend, Prompt
from sdstream.engine.acceleration import open_model, weights_dtype
from sdstream.engine.adapters.lora import fuse_loras
from sdstream.engine.conditioning.condition import Embedding
from sdstream.engine.conditioning.text_encoder import TextEncoder
from sdstream.engine.models import Model, choose_device, is_xl
from sdstream.engine.scheduler import noise_table
from sdstream.engine.weights.component import quiet

_SD15: dict[str, Any] = {
    "block_out_channels": (320, 640, 1280, 1280),
    "layers_per_block": 2,
    "cross_attention_dim": 768,
    "attention_head_dim": 8,
}
_UNETS: dict[str, dict[str, Any]] = {
    "small": {
        "block_out_channels": (48, 96, 192),
        "layers_per_block": 1,
        "norm_num_groups": 16,
        "cross_attention_dim": 128,
        "attention_head_dim": 16,
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    },
    "sd15": _SD15,
    "sd-turbo": _SD15
    | {"cross_attention_dim": 1024, "attention_head_dim": (5, 10, 20, 20), "use_linear_projection": True},
    "sdxl-turbo": {
        "block_out_channels": (320, 640, 1280),
        "layers_per_block": 2,
        "cross_attention_dim": 2048,
        "attention_head_dim": (5, 10, 20),
        "transformer_layers_per_block": (1, 2, 10),
        "use_linear_projection": True,
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 256,
        "projection_class_embeddings_input_dim": 2816,
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    },
}
ARCHITECTURES = tuple(_UNETS)
"""`small` can run live on a laptop's CPU; all further names are published networks."""

SD_WIDTH = 320
"""Channels of the first level of Stable Diffusion's U-Nets."""

_TOKENS = 77
_POOLED = 1280
"""Numbers in SDXL's pooled prompt."""


class RandomText(TextEncoder):
    """Encodes every prompt as random numbers of the right shape."""

    def __init__(self, unet: Any) -> None:  # diffusers publishes no types
        super().__init__(())
        self._unet = unet

    @property
    def parts(self) -> dict[str, Any]:
        """No networks: an empty mapping."""
        return {}

    @property
    def stretch(self) -> int:
        """The length of every embedding, in tokens."""
        return _TOKENS

    def _encode(self, prompt: Prompt, blend: Blend) -> Embedding:
        del prompt, blend
        like = {"dtype": self._unet.dtype, "device": self._unet.device}
        pooled = torch.randn(_POOLED, **like) if is_xl(self._unet) else None
        return Embedding(torch.randn(_TOKENS, self._unet.config.cross_attention_dim, **like), pooled)


def make_model(name: str, settings: DiffusionSettings) -> Model:
    """Return a random model if `name` is in `ARCHITECTURES`, else load the model `name`; raises Unavailable."""
    if name not in _UNETS:
        return open_model(settings.model_copy(update={"model": name}))
    from diffusers import AutoencoderTiny, UNet2DConditionModel

    device = choose_device(settings.device)
    dtype = weights_dtype(settings, device)
    torch.manual_seed(0)
    with quiet(), torch.device(device):  # made on the device: SDXL takes minutes on a CPU
        unet = UNet2DConditionModel(sample_size=64, **_UNETS[name])
        width = 32 if name == "small" else 64
        blocks = (1, 1, 1, 1) if name == "small" else (1, 3, 3, 3)
        autoencoder = AutoencoderTiny(
            encoder_block_out_channels=(width,) * 4,
            decoder_block_out_channels=(width,) * 4,
            num_encoder_blocks=blocks,
            num_decoder_blocks=(*blocks[1:], 1),
        )
        for part in (unet, autoencoder):
            part.to(dtype).eval().requires_grad_(False)
    table = noise_table({"beta_schedule": "scaled_linear"})
    fuse_loras({"unet": unet}, settings.loras)
    return Model(unet, autoencoder, RandomText(unet), table, is_xl(unet))


def full_autoencoder(model: Model) -> Any:
    """Return Stable Diffusion's full autoencoder with random weights; half as wide for a small U-Net."""
    from diffusers import AutoencoderKL

    base = 128 if model.unet.config.block_out_channels[0] >= SD_WIDTH else 64
    with torch.device(model.device):
        autoencoder = AutoencoderKL(
            block_out_channels=(base, 2 * base, 4 * base, 4 * base),
            layers_per_block=2,
            latent_channels=model.channels,
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
        )
    return autoencoder.to(model.unet.dtype).eval().requires_grad_(False)
