"""Trains the tiny autoencoder on photos and on looks."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from scripts.train.cache import SIDE, Cache
from scripts.train.crops import random_crop, to_tensor
from scripts.train.run import Run
from sdstream.engine.weights.shuffle_autoencoder import AutoencoderShuffle, Block, to_blocks

CHANNELS = 24
"""Channels of a latent: enough for strokes, and for faces under noise."""

DECODER_NOISE = 0.1
"""Largest standard deviation of the noise on latents before decoding: a latent from the U-Net is never exact."""


def make() -> AutoencoderShuffle:
    """Return an autoencoder whose last convolutions are 0: only the linear pair has an effect."""
    made = AutoencoderShuffle(latent_channels=CHANNELS)
    for module in made.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            nn.init.zeros_(module.bias)
        if isinstance(module, Block):
            nn.init.zeros_(module.second.weight)
    for last in (made.encoder.eighth[-1], made.decoder.quarter[-1]):
        nn.init.zeros_(last.weight)
    return made.to(memory_format=torch.channels_last)


@torch.no_grad()
def begin_linear(made: AutoencoderShuffle, pictures: Tensor) -> None:
    """Put the principal components of 8x8 blocks into the linear pair.

    Component i is scaled to a standard deviation in proportion to the fourth root of the component's variance (mean
    square 1 over all). The scale is a compromise between pixels (noise would leave large areas only) and white (noise
    would destroy everything).
    """
    encoder, decoder = made.encoder.linear, made.decoder.linear
    quarter = to_blocks(pictures.permute(0, 2, 3, 1))
    blocks = functional.pixel_unshuffle(quarter, 2).movedim(1, -1).flatten(0, -2).double()
    mean = blocks.mean(0)
    values, vectors = torch.linalg.eigh((blocks - mean).T.cov())
    values, vectors = values[-CHANNELS:].flip(0), vectors[:, -CHANNELS:].flip(1)  # [c], [192, c]
    spread = values**0.25 / values.sqrt().mean().sqrt()
    gain = spread / values.sqrt()
    encoder.weight.copy_((vectors * gain).T.reshape(encoder.weight.shape))
    encoder.bias.copy_(-(mean @ vectors) * gain)
    decoder.weight.copy_((vectors / gain)[..., None, None])
    decoder.bias.copy_(mean)


def difference(picture: Tensor, target: Tensor) -> dict[str, Tensor]:
    """Return the losses of a picture: colours, and edges at three sizes."""
    losses = {"colour": (picture - target).abs().mean() + 2 * (picture - target).square().mean()}
    edges = torch.zeros((), device=picture.device)
    for _ in range(3):
        for dim in (-1, -2):
            edges = edges + (picture.diff(dim=dim) - target.diff(dim=dim)).abs().mean()
        picture, target = (torch.nn.functional.avg_pool2d(t, 2) for t in (picture, target))
    return losses | {"edges": 0.5 * edges}


def train(cache: Cache, folder: Path, device: torch.device, *, seconds: float, limit: float, batch: int = 8) -> Any:
    """Train for `seconds` in all, at most `limit` seconds in this call; return the averaged autoencoder."""
    torch.manual_seed(1)
    made = make().to(device)
    photos = cache.ready(held_out=False)
    if seconds:
        begin_linear(
            made, to_tensor(cache.targets[photos[:: max(1, len(photos) // 40)]].reshape(-1, SIDE, SIDE, 3), device)
        )
    run = Run(made, folder / "autoencoder.pt", seconds, rate=2e-3)
    rng = np.random.default_rng([1, run.step])
    for step in run.steps(limit):
        if step % 500 == 0:
            photos = cache.ready(held_out=False)  # further photos may have been painted meanwhile
        crops = [random_crop(rng, photos, 96) for _ in range(batch)]
        kinds = [0 if rng.random() < 0.3 else int(rng.integers(1, cache.targets.shape[1])) for _ in crops]
        pictures = to_tensor(np.stack([c.cut(cache.targets, k) for c, k in zip(crops, kinds, strict=True)]), device)
        latents = run.module.encode(pictures).latents
        noisy = latents + DECODER_NOISE * torch.rand(batch, 1, 1, 1, device=device) * torch.randn_like(latents)
        decoded = run.module.decode(noisy).sample
        unit = latents.mean((0, 2, 3)).square().mean() + (latents.square().mean() - 1).square()
        run.descend(difference(decoded, pictures) | {"unit": 0.02 * unit})
    return run.average.module.eval().requires_grad_(requires_grad=False)


def trained(folder: Path) -> Any:  # as above
    """Return the averaged autoencoder of the last checkpoint."""
    kept = Run(make(), folder / "autoencoder.pt", 0, rate=0).average.module
    return kept.eval().requires_grad_(requires_grad=False)
