"""Trains U-Net and decoder together: a few-step denoiser whose every step goes a part of the way to the look.

The encoder stays as it is, so that latents keep their meaning and a later step can take up what an earlier one made;
the decoder learns to paint what the U-Net hands it.
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

PAIRS, ONWARD = 6, 2
"""Pairs of a step's own, and pairs that come back from the step before with the model's own answers."""

LATENT, STEADY, APART, STROKES, GRID = 0.1, 0.75, 0.03, 1.25, 0.3
"""Weights beside the picture's own: latents, two views of one scene, being told apart from other looks, strokes as
strong as the look's wherever they lie, and no blocks of 8x8 to be seen."""

SHARPNESS = 0.01
"""Mean square between two pictures (-1..1) that makes one e times as likely as the other."""


def make() -> Any:  # diffusers publishes no types
    """Return an untrained U-Net of 1.3 million weights.

    A look is the same everywhere in the picture, so the prompt goes to where it costs nothing: pooled, beside the
    timestep, into scale and shift of every block, as networks for many styles do it. At the bottom the picture attends
    to the words and to itself.
    """
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel(
        in_channels=autoencoder.CHANNELS, out_channels=autoencoder.CHANNELS, block_out_channels=SIZES,
        layers_per_block=1, norm_num_groups=4, cross_attention_dim=WIDTH, attention_head_dim=4,
        down_block_types=("DownBlock2D",) * 3, up_block_types=("UpBlock2D",) * 3,
        addition_embed_type="text", addition_embed_type_num_heads=4, resnet_time_scale_shift="scale_shift",
    ).to(memory_format=torch.channels_last)  # fmt: skip


def teach_reading(unet: Any, bank: Tensor, steps: int = 400) -> None:
    """Let the pooled prompt tell looks apart before there is anything to paint.

    Of a prompt's 77 places two or three say something. Pooling that starts out even over all of them hands on almost
    the same for every prompt, and the U-Net takes thousands of steps to find the words by their effect on pictures.
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
    """What is trained: the U-Net, and the decoder behind it."""

    def __init__(self, decoder: nn.Module) -> None:
        super().__init__()
        self.unet = make()
        self.decoder = decoder.requires_grad_(requires_grad=True)


def train(
    cache: Cache, bank: Tensor, folder: Path, device: torch.device, *, seconds: float, limit: float
) -> tuple[Any, nn.Module]:
    """Train for `seconds` in all, `limit` of them now; return the averaged U-Net and decoder."""
    torch.manual_seed(4)
    apart = autoencoder.trained(folder)
    painter = Painter(apart.decoder).to(device)
    if not (folder / "unet.pt").exists():
        teach_reading(painter.unet, bank)
    run = Run(painter, folder / "unet.pt", seconds, rate=2e-3)
    encoder, levels = apart.encoder.to(device), Levels(device)
    worker, workers = run.worker
    torch.manual_seed(4 + run.step + worker)
    sampler = Sampler(cache, bank, levels, autoencoder.CHANNELS, run.step + worker)
    carried: Batch | None = None
    for step in run.steps(limit):
        # whole pictures now and then: normalisation and attention should not get used to small cuttings
        whole = step % 5 == 4
        pairs, side = (2, 256) if whole else (PAIRS, 128)
        fresh = sampler.draw(max(1, pairs // workers), side, moving=step % 2 == 0)
        parts = [fresh] if whole or carried is None else [fresh, carried]
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
        if not whole:
            carried = fresh.onward(answers[0].detach(), levels, max(1, ONWARD // workers))
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
    losses["apart"] = APART * _apart(batch, picture, target, levels)
    losses["strokes"] = STROKES * _faint(picture, target)
    losses["grid"] = GRID * (_rhythm(picture) - _rhythm(target)).abs().mean()
    losses["steady"] = STEADY * _unsteady(batch, picture)
    return losses


def _faint(picture: Tensor, target: Tensor) -> Tensor:
    """How far the strength of details differs, at two sizes, around every place.

    Where a stroke goes is hard to say, and the least square error is not to paint it; that it is there is easy.
    """
    loss = picture.new_zeros(())
    for _ in range(2):
        smaller = [functional.avg_pool2d(t, 2) for t in (picture, target)]
        details = (
            t - functional.interpolate(small, scale_factor=2)
            for t, small in zip((picture, target), smaller, strict=True)
        )
        mine, wanted = (functional.avg_pool2d(detail.square(), 8).add(1e-4).sqrt() for detail in details)
        loss = loss + (mine - wanted).abs().mean()
        picture, target = smaller
    return loss


def _rhythm(picture: Tensor) -> Tensor:
    """How steps between neighbouring pixels share out over the eight places of a block's rows and columns.

    1 is an equal share; blocks that can be seen have more at their borders, the last place.  # [n, 2, 8]
    """
    shares = []
    for dim in (-1, -2):
        lines = picture.diff(dim=dim).abs().mean(dim=(1, -3 - dim))  # [n, side - 1]
        whole = lines.shape[1] // 8 * 8
        places = lines[:, :whole].unflatten(1, (-1, 8)).mean(1)
        shares.append(places / places.mean(1, keepdim=True).clamp(min=1e-3))
    return torch.stack(shares, dim=1)


def _apart(batch: Batch, picture: Tensor, target: Tensor, levels: Levels) -> Tensor:
    """Cross-entropy of choosing the own target among other looks' by distance, where a step goes most of the way."""
    told = (batch.plain > 0) & (batch.ahead(levels).view(-1) > 0.7)
    if not told.any():
        return picture.new_zeros(())
    with torch.no_grad():
        others = batch.others[told].float().div_(127.5).sub_(1)  # [m, 1 + OTHERS, 3, h, w]
        ways = torch.cat([target[told, None], others], dim=1)
    distances = (picture[told, None] - ways).square().mean(dim=(2, 3, 4))  # [m, 2 + OTHERS]
    own = torch.zeros(len(distances), dtype=torch.long, device=picture.device)
    return functional.cross_entropy(-distances / SHARPNESS, own)


def _unsteady(batch: Batch, picture: Tensor) -> Tensor:
    """How far two views of one scene differ where they overlap."""
    if batch.move is None:
        return picture.new_zeros(())
    down, right = batch.move
    here, there = picture.chunk(2)
    height, width = picture.shape[-2:]
    same = here[..., max(0, down) : height + min(0, down), max(0, right) : width + min(0, right)]
    moved = there[..., max(0, -down) : height + min(0, -down), max(0, -right) : width + min(0, -right)]
    return (same - moved).abs().mean()
