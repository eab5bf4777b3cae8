"""Trains U-Net and decoder together: a few-step denoiser, with a part of the way to the look in every step.

The encoder is frozen: latents keep the same meaning, and a later step can continue an earlier step's result. The
decoder learns to paint the U-Net's latents.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from scripts.train import autoencoder
from scripts.train.batches import Batch, Sampler
from scripts.train.cache import Cache
from scripts.train.levels import Levels
from scripts.train.run import Run
from scripts.train.text import WIDTH

SIZES = (40, 48, 64)

PAIRS, RETURNING = 6, 2
"""Fresh pairs of a step, and pairs of the step before that return with the model's answers as latents."""

LATENT, STEADY, APART, STROKES, GRID = 0.1, 0.75, 0.03, 1.25, 0.3
"""Weights of the losses beside the picture loss: distance of latents, difference of two views of a scene, contrast to
wrong looks, strength of strokes, and visibility of 8x8 blocks."""

SHARPNESS = 0.01
"""Temperature of the contrast loss: a picture with a mean square (-1..1) larger by SHARPNESS is e times less likely."""


def make() -> Any:  # diffusers publishes no types
    """Return an untrained U-Net of 1.3 million weights.

    A look is the same everywhere in the picture, so the pooled prompt enters where the cost is zero: beside the
    timestep, into scale and shift of every block, as in networks for many styles. At the lowest level the picture
    attends to the words and to the picture.
    """
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel(
        in_channels=autoencoder.CHANNELS, out_channels=autoencoder.CHANNELS, block_out_channels=SIZES,
        layers_per_block=1, norm_num_groups=4, cross_attention_dim=WIDTH, attention_head_dim=4,
        down_block_types=("DownBlock2D",) * 3, up_block_types=("UpBlock2D",) * 3,
        addition_embed_type="text", addition_embed_type_num_heads=4, resnet_time_scale_shift="scale_shift",
    ).to(memory_format=torch.channels_last)  # fmt: skip


def teach_reading(unet: Any, bank: Tensor, steps: int = 400) -> None:
    """Train the pooling of prompts to separate the looks, before the training on pictures.

    Two or three of a prompt's 77 tokens have content. Pooling with even weights gives almost the same vector for every
    prompt, and then the U-Net needs thousands of steps to find the words by the effect on pictures.
    """
    device, (looks, variants) = bank.device, bank.shape[:2]
    head = nn.Linear(unet.config.block_out_channels[0] * 4, looks).to(device)
    optimizer = torch.optim.Adam([*unet.add_embedding.parameters(), *head.parameters()], lr=2e-3)
    for _ in range(steps):
        wanted = torch.randint(looks, (64,), device=device)
        tokens = bank[wanted, torch.randint(variants, (64,), device=device)]
        loss = functional.cross_entropy(head(unet.add_embedding(tokens)), wanted)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"reading: cross-entropy {float(loss):.4f} over {looks} looks", flush=True)


class Painter(nn.Module):
    """The trained networks: U-Net and decoder."""

    def __init__(self, decoder: nn.Module) -> None:
        super().__init__()
        self.unet = make()
        self.decoder = decoder.requires_grad_(requires_grad=True)


def train(
    cache: Cache, bank: Tensor, folder: Path, device: torch.device, *, seconds: float, limit: float
) -> tuple[Any, nn.Module]:
    """Train for `seconds` in all, at most `limit` seconds in this call; return the averaged U-Net and decoder."""
    torch.manual_seed(4)
    pretrained = autoencoder.trained(folder)
    painter = Painter(pretrained.decoder).to(device)
    if not (folder / "unet.pt").exists():
        teach_reading(painter.unet, bank)
    run = Run(painter, folder / "unet.pt", seconds, rate=2e-3)
    encoder, levels = pretrained.encoder.to(device), Levels(device)
    worker, workers = run.worker
    torch.manual_seed(4 + run.step + worker)
    sampler = Sampler(cache, bank, levels, autoencoder.CHANNELS, run.step + worker)
    returning: Batch | None = None
    for step in run.steps(limit):
        # Every fifth step has uncropped pictures, because normalisation and attention depend on the size.
        uncropped = step % 5 == 4
        pairs, side = (2, 256) if uncropped else (PAIRS, 128)
        fresh = sampler.draw(max(1, pairs // workers), side, moving=step % 2 == 0)
        parts = [fresh] if uncropped or returning is None else [fresh, returning]
        answers, pictures = _paint(run.module, encoder, parts, levels)
        losses = [
            _losses(part, picture, answer, encoder, levels)
            for part, picture, answer in zip(parts, pictures, answers, strict=True)
        ]
        sizes = [len(part.seen) for part in parts]
        run.descend({
            name: sum(size * loss[name] for size, loss in zip(sizes, losses, strict=True)) / sum(sizes)
            for name in losses[0]
        })  # fmt: skip
        if not uncropped:
            returning = fresh.next_step(answers[0].detach(), levels, max(1, RETURNING // workers))
    return _parts(run)


def trained(folder: Path) -> tuple[Any, nn.Module]:
    """Return the averaged U-Net and decoder of the last checkpoint."""
    painter = Painter(autoencoder.make().decoder)
    return _parts(Run(painter, folder / "unet.pt", 0, rate=0))


def _parts(run: Run) -> tuple[Any, nn.Module]:
    painter = run.average.module.eval().requires_grad_(requires_grad=False)
    return painter.unet, painter.decoder


def _paint(
    painter: nn.Module, encoder: nn.Module, parts: list[Batch], levels: Levels
) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Return each part's answer, as latents and as pictures."""
    with torch.no_grad():
        clean = torch.cat([encoder(part.seen) if part.latents is None else part.latents for part in parts])
    level = torch.cat([part.level for part in parts])
    signal, noise = (shares[level].view(-1, 1, 1, 1) for shares in (levels.signal, levels.noise))
    noisy = signal * clean + noise * torch.cat([part.noise for part in parts])
    noisy = noisy.contiguous(memory_format=torch.channels_last)
    tokens = torch.cat([part.tokens for part in parts])
    answer = painter.unet(noisy, levels.times[level], encoder_hidden_states=tokens).sample
    sizes = [len(part.seen) for part in parts]
    return answer.split(sizes), painter.decoder(answer).split(sizes)


def _losses(batch: Batch, picture: Tensor, answer: Tensor, encoder: nn.Module, levels: Levels) -> dict[str, Tensor]:
    target = batch.target(levels)
    with torch.no_grad():
        latents = encoder(target)
    losses = autoencoder.difference(picture, target)
    losses["latent"] = LATENT * (answer - latents).square().mean()
    losses["apart"] = APART * _contrast(batch, picture, target, levels)
    losses["strokes"] = STROKES * _stroke_difference(picture, target)
    losses["grid"] = GRID * (_grid_shares(picture) - _grid_shares(target)).abs().mean()
    losses["steady"] = STEADY * _view_difference(batch, picture)
    return losses


def _stroke_difference(picture: Tensor, target: Tensor) -> Tensor:
    """Return the mean difference of the local strength of details, at two sizes.

    The exact position of a stroke is hard to predict, so the least square error is a picture without the stroke. The
    local strength of strokes is easy to predict.
    """
    loss = picture.new_zeros(())
    for _ in range(2):
        smaller = [functional.avg_pool2d(t, 2) for t in (picture, target)]
        details = (
            t - functional.interpolate(small, scale_factor=2)
            for t, small in zip((picture, target), smaller, strict=True)
        )
        painted, wanted = (functional.avg_pool2d(detail.square(), 8).add(1e-4).sqrt() for detail in details)
        loss = loss + (painted - wanted).abs().mean()
        picture, target = smaller
    return loss


def _grid_shares(picture: Tensor) -> Tensor:
    """Return the shares of steps between neighbouring pixels over the 8 columns and the 8 rows of a block.

    1 is an equal share; a visible block has a larger share at the border, index 7.  # [n, 2, 8]
    """
    shares = []
    for dim in (-1, -2):
        lines = picture.diff(dim=dim).abs().mean(dim=(1, -3 - dim))  # [n, side - 1]
        length = lines.shape[1] // 8 * 8
        means = lines[:, :length].unflatten(1, (-1, 8)).mean(1)  # [n, 8]
        shares.append(means / means.mean(1, keepdim=True).clamp(min=1e-3))
    return torch.stack(shares, dim=1)


def _contrast(batch: Batch, picture: Tensor, target: Tensor, levels: Levels) -> Tensor:
    """Return the cross-entropy of choosing the target among wrong looks by distance.

    Only plain rows with a progress above 0.7 count.
    """
    rows = (batch.plain > 0) & (batch.progress(levels).view(-1) > 0.7)  # [2 n]
    if not rows.any():
        return picture.new_zeros(())
    with torch.no_grad():
        others = batch.others[rows].float().div_(127.5).sub_(1)  # [m, 1 + OTHERS, 3, h, w]
        choices = torch.cat([target[rows, None], others], dim=1)  # [m, 2 + OTHERS, 3, h, w]
    distances = (picture[rows, None] - choices).square().mean(dim=(2, 3, 4))  # [m, 2 + OTHERS]
    right = torch.zeros(len(distances), dtype=torch.long, device=picture.device)  # [m]
    return functional.cross_entropy(-distances / SHARPNESS, right)


def _view_difference(batch: Batch, picture: Tensor) -> Tensor:
    """Return the mean difference of the two views of a moving scene in the overlap."""
    if batch.move is None:
        return picture.new_zeros(())
    down, right = batch.move
    here, there = picture.chunk(2)
    height, width = picture.shape[-2:]
    same = here[..., max(0, down) : height + min(0, down), max(0, right) : width + min(0, right)]
    moved = there[..., max(0, -down) : height + min(0, -down), max(0, -right) : width + min(0, -right)]
    return (same - moved).abs().mean()
