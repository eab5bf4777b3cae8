"""The noise cache: the same ε for every frame, so that a still picture stays still."""

from collections.abc import Sequence

import torch
from torch import Tensor

from sdstream.controls import Blend, Seeds
from sdstream.engine.bounded_cache import BoundedCache
from sdstream.engine.denoising.blend import slerp

LATENT = (-3, -2, -1)
"""The dimensions of one latent."""


class NoiseCache:
    """Standard normal noise of `shape` (c, h, w) for each stage, by seed; drawn on the CPU, so that a seed
    looks the same on every device.
    """

    def __init__(self, shape: tuple[int, int, int], device: torch.device | str = "cpu", keep: int = 32) -> None:
        self._shape = shape
        self._device = torch.device(device)
        self.cache: BoundedCache[tuple[Seeds, Blend, int], Tensor] = BoundedCache(keep)
        """The noise drawn so far, by seeds, blend and number of stages."""

    def draw(self, seed: int, stages: int) -> Tensor:
        """Return the noise of one seed; its first stages do not depend on how many there are.  # [n, c, h, w]"""
        return self.mix(seed, "linear", stages)

    def mix(self, seeds: Seeds, blend: Blend, stages: int) -> Tensor:
        """Return the noise of one or more seeds, at unit variance however blended.  # [n, c, h, w]

        Equal arguments give the same tensor, as long as the cache holds the tensor.
        """
        return self.cache.get((seeds, blend, stages), lambda: self._draw(seeds, blend, stages))

    def _draw(self, seeds: Seeds, blend: Blend, stages: int) -> Tensor:
        if not isinstance(seeds, int):
            parts = [(self.draw(part.seed, stages), part.weight) for part in seeds if part.weight > 0]
            return mix_noise(parts, blend)
        source = torch.Generator("cpu").manual_seed(seeds)
        return torch.stack([torch.randn(self._shape, generator=source) for _ in range(stages)]).to(self._device)


def mix_noise(parts: Sequence[tuple[Tensor, float]], blend: Blend) -> Tensor:
    """Blend noises of one shape at unit variance: along the sphere, or straight and scaled back up.

    Scaled by what the length has become, for the parts need not be independent: a fade may turn back half-way.
    """
    if len(parts) == 1:
        return parts[0][0]
    if blend == "slerp":
        return slerp(parts, dims=LATENT)
    total = sum(weight for _, weight in parts)
    noise = torch.stack([noise * (weight / total) for noise, weight in parts])
    mean, lengths = noise.sum(0), torch.linalg.vector_norm(noise, dim=LATENT, keepdim=True).sum(0)
    scaled: Tensor = mean * (lengths / torch.linalg.vector_norm(mean, dim=LATENT, keepdim=True).clamp_min(1e-12))
    return scaled
