"""Trains the U-Net: a few-step denoiser whose every step goes a part of the way from the camera to the look."""

import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention

from scripts.train import autoencoder
from scripts.train.batches import Batch, Sampler
from scripts.train.latents import Latents, Levels
from scripts.train.run import Run
from scripts.train.text import LENGTH, WIDTH

SIZES = (48, 96, 160)

PAIRS, ONWARD = 8, 4
"""Pairs of a step's own, and pairs that come back from the step before with the model's own answers."""

WORDS = 16
"""Places of a prompt that training reads one by one; all later ones say the same and count as one, many times over."""

STEADY = 0.3
"""Weight of the difference between two views of one scene."""


def make() -> Any:  # diffusers publishes no types
    """Return an untrained U-Net: 7 million weights; it attends to the prompt everywhere, to itself at the bottom.

    Attention to itself sees as many places as the picture has, and the pictures on air are larger than those of the
    training: at the bottom it matters least and costs least.
    """
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel(
        in_channels=autoencoder.CHANNELS, out_channels=autoencoder.CHANNELS, block_out_channels=SIZES,
        layers_per_block=1, norm_num_groups=16, cross_attention_dim=WIDTH, attention_head_dim=4,
        down_block_types=("CrossAttnDownBlock2D",) * 3,
        up_block_types=("CrossAttnUpBlock2D",) * 3,
        only_cross_attention=(True, True, False), mid_block_only_cross_attention=False,
    ).to(memory_format=torch.channels_last)  # fmt: skip


def train(
    latents: Latents, bank: Tensor, folder: Path, device: torch.device, *, seconds: float, limit: float
) -> Any:  # diffusers publishes no types
    """Train for `seconds` in all, `limit` of them now; return the averaged U-Net."""
    torch.manual_seed(4)
    model = make().to(device)
    model.set_attn_processor(Shortened())
    run = Run(model, folder / "unet.pt", seconds, rate=2e-3)
    levels = Levels(device)
    worker, workers = run.worker
    torch.manual_seed(4 + run.step + worker)
    sampler = Sampler(latents, bank, levels, run.step + worker)
    carried: Batch | None = None
    for step in run.steps(limit):
        # whole pictures now and then: normalisation and attention should not get used to small cuttings
        whole = step % 6 == 5
        pairs, side = (2, 32) if whole else (PAIRS, 16)
        fresh = sampler.draw(max(1, pairs // workers), side, moving=step % 3 == 0)
        parts = [fresh] if whole or carried is None else [fresh, carried]
        answers = _answer(run.module, parts, levels)
        losses = [_losses(part, answer, levels) for part, answer in zip(parts, answers, strict=True)]
        sizes = [len(part.clean) for part in parts]
        run.descend({
            name: sum(size * loss[name] for size, loss in zip(sizes, losses, strict=True)) / sum(sizes)
            for name in losses[0]
        })  # fmt: skip
        if not whole:
            carried = fresh.onward(answers[0].detach(), levels, ONWARD // workers)
    return run.average.module.eval().requires_grad_(requires_grad=False)


def trained(folder: Path) -> Any:  # diffusers publishes no types
    """Return the averaged U-Net of the last checkpoint."""
    return Run(make(), folder / "unet.pt", 0, rate=0).average.module.eval().requires_grad_(requires_grad=False)


def _answer(unet: Any, parts: list[Batch], levels: Levels) -> list[Tensor]:
    noisy = torch.cat([part.noisy(levels) for part in parts]).contiguous(memory_format=torch.channels_last)
    times = levels.times[torch.cat([part.level for part in parts])]
    tokens = shorten(torch.cat([part.tokens for part in parts]))
    # the fused attention kernel is slow in reduced precision on a CPU; the plain one is not
    with torch.autocast(noisy.device.type, torch.bfloat16), sdpa_kernel(SDPBackend.MATH):
        answer = unet(noisy, times, encoder_hidden_states=tokens).sample
    return list(answer.float().split([len(part.clean) for part in parts]))


class Shortened:
    """Attention that reads a prompt's last place as many equal ones: softmax gives it their share by log(n)."""

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
    ) -> Tensor:
        """Attend; the names are diffusers' protocol."""
        del attention_mask, temb
        seen = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        q = attn.to_q(hidden_states).unflatten(-1, (attn.heads, -1)).transpose(1, 2)
        k, v = (project(seen).unflatten(-1, (attn.heads, -1)).transpose(1, 2) for project in (attn.to_k, attn.to_v))
        bias = None
        if encoder_hidden_states is not None:
            bias = q.new_zeros(1, 1, 1, seen.shape[1])
            bias[..., -1] = math.log(LENGTH - WORDS)
        mixed = scaled_dot_product_attention(q, k, v, attn_mask=bias)
        return attn.to_out[0](mixed.transpose(1, 2).flatten(2))


def shorten(tokens: Tensor) -> Tensor:
    """Keep a prompt's first places, and one for all the rest."""
    return torch.cat([tokens[:, :WORDS], tokens[:, WORDS:].mean(1, keepdim=True)], dim=1)


def _losses(batch: Batch, answer: Tensor, levels: Levels) -> dict[str, Tensor]:
    target = {"target": (answer - batch.target(levels)).square().mean()}
    if batch.move is None:
        return target | {"steady": answer.new_zeros(())}
    down, right = batch.move
    here, there = answer.chunk(2)
    height, width = answer.shape[-2:]
    same = here[..., max(0, down) : height + min(0, down), max(0, right) : width + min(0, right)]
    moved = there[..., max(0, -down) : height + min(0, -down), max(0, -right) : width + min(0, -right)]
    return target | {"steady": STEADY * (same - moved).square().mean()}
