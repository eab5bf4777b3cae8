"""The inputs of the U-Net for a frame, beside latent and timestep: encoded prompts, scales and weights."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, eq=False)
class Embedding:
    """An encoded prompt, compared by identity: keep and reuse the object."""

    tokens: Tensor  # [tokens, dim]; 77 tokens for each stretch of the prompt
    pooled: Tensor | None = None  # [dim], for models with a pooled input (SDXL)


@dataclass(frozen=True, eq=False)
class ImagePrompt:
    """A picture encoded by an IP-Adapter, compared by identity."""

    positive: Embedding
    negative: Embedding
    """No picture: for rows with the negative prompt."""


@dataclass(frozen=True)
class Condition:
    """The inputs of one frame."""

    positive: Embedding
    negative: Embedding
    scales: tuple[float, ...] = ()
    """Scale of each ControlNet."""
    loras: tuple[float, ...] = ()
    """Weight of each LoRA."""
    image_scales: tuple[float, ...] = ()
    """Weight of each IP-Adapter."""
    images: tuple[ImagePrompt, ...] = ()
    """Picture of each IP-Adapter; empty without IP-Adapters."""
    distilled: float = 1.0
    """Guidance scale for a U-Net with the guidance scale as an input."""


def by_length(prompts: Sequence[Embedding]) -> list[list[int]]:
    """Return the indices of the prompts with equally many tokens, in order of the first index."""
    groups: dict[int, list[int]] = {}
    for index, prompt in enumerate(prompts):
        groups.setdefault(len(prompt.tokens), []).append(index)
    return list(groups.values())
