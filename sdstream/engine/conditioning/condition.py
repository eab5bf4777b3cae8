"""The inputs of the U-Net for a frame, beside latent and timestep: encoded prompts, scales and weights."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, eq=False)
class Embedding:
    """An encoded prompt, compared by identity: keep and reuse the object."""

    tokens: Tensor  # [tokens, dim]
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
