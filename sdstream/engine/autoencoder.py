"""Between pictures in host memory and the autoencoder's tensors.

`Any` stands for diffusers' modules: diffusers publishes no types.
"""

from typing import Any, cast

import torch
from torch import Tensor

from sdstream.frame import Pixels


class Autoencoder:
    """Pixels to scaled latents and back, by a tiny or a full diffusers autoencoder."""

    def __init__(self, module: Any) -> None:
        self.module = module
        weight = next(module.parameters())
        self._dtype, self._device = weight.dtype, weight.device
        self._scale = float(module.config.scaling_factor)
        self._shift = float(module.config.get("shift_factor") or 0.0)
        levels = module.config.get("block_out_channels") or module.config.encoder_block_out_channels
        self.factor = 2 ** (len(levels) - 1)
        """Pixels for each latent value along a side."""

    def to_latent(self, pixels: Pixels) -> Tensor:
        """Encode a picture in host memory.  # [1, c, h, w] float32"""
        return self.encode(self.to_tensor(pixels).unsqueeze(0))

    def to_picture(self, latent: Tensor) -> Pixels:
        """Decode a latent ([1, c, h, w]) to host memory; the result belongs to the caller."""
        return to_pixels(self.decode(latent)[0])

    def encode(self, picture: Tensor) -> Tensor:
        """Turn pictures (-1..1, [F, 3, H, W]) into latents.  # [F, c, h, w] float32

        A full autoencoder gives a distribution; the mode is taken, because a sample would flicker.
        """
        encoded = self.module.encode(picture.to(self._dtype))
        latent = encoded.latent_dist.mode() if "latent_dist" in encoded else encoded.latents
        scaled: Tensor = (latent.float() - self._shift) * self._scale
        return scaled

    def decode(self, latent: Tensor) -> Tensor:
        """Turn latents into pictures, about -1..1.  # [F, 3, H, W]"""
        picture: Tensor = self.module.decode(self.unscale(latent)).sample
        return picture

    def unscale(self, latent: Tensor) -> Tensor:
        """Undo the module's scale and shift."""
        return (latent / self._scale + self._shift).to(self._dtype)

    def to_tensor(self, pixels: Pixels) -> Tensor:
        """Move a picture to the device.  # [3, H, W] float, -1..1"""
        return self.to_range(torch.from_numpy(pixels).to(self._device))

    def to_range(self, pixels: Tensor) -> Tensor:
        """Turn a picture on the device ([H, W, 3] uint8) into the range of the encoder.  # [3, H, W] float, -1..1"""
        return pixels.permute(2, 0, 1).to(self._dtype).mul_(2 / 255).sub_(1)


def to_levels(picture: Tensor) -> Tensor:
    """Turn -1..1 into bytes of the same shape."""
    return picture.float().add(1).mul_(127.5).round_().clamp_(0, 255).to(torch.uint8)


def to_pixels(picture: Tensor) -> Pixels:
    """Bring a picture ([3, H, W], -1..1) to host memory; the result belongs to the caller."""
    # The device transposes: a copy of a transposed view would make the host transpose.
    return cast(Pixels, to_levels(picture).permute(1, 2, 0).contiguous().cpu().numpy())  # [H, W, 3]
