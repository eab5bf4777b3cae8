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
    """Standard normal noise of `shape` (c, h, w) for each stage, by seed.

    The noise is drawn on the CPU: a seed gives the same picture on every device.
    """

    def __init__(self, shape: tuple[int, int, int], device: torch.device | str = "cpu", cache_size: int = 32) -> None:
        self._shape = shape
        self._device = torch.device(device)
        self.cache: BoundedCache[tuple[Seeds, Blend, int], Tensor] = BoundedCache(cache_size)
        """The noise drawn so far, by seeds, blend and number of stages."""

    def draw(self, seed: int, stages: int) -> Tensor:
        """Return the noise of a seed; `stages` does not change the noise of the first stages.  # [n, c, h, w]"""
        return self.mix(seed, "linear", stages)

    def mix(self, seeds: Seeds, blend: Blend, stages: int) -> Tensor:
        """Return the noise of one or more seeds, at unit variance for every blend.  # [n, c, h, w]

        Equal arguments give the same tensor, as long as the cache holds the tensor.
        """
        return self.cache.get((seeds, blend, stages), lambda: self._draw(seeds, blend, stages))

    def _draw(self, seeds: Seeds, blend: Blend, stages: int) -> Tensor:
        if not isinstance(seeds, int):
            parts = [(self.draw(part.seed, stages), part.weight) for part in seeds if part.weight > 0]
            return mix_noise(parts, blend)  # [n, c, h, w]
        generator = torch.Generator("cpu").manual_seed(seeds)
        drawn = [torch.randn(self._shape, generator=generator) for _ in range(stages)]  # [c, h, w] each
        return torch.stack(drawn).to(self._device)  # [n, c, h, w]


def mix_noise(parts: Sequence[tuple[Tensor, float]], blend: Blend) -> Tensor:
    """Blend noises of shape [n, c, h, w] at unit variance: along the sphere, or linearly and scaled back up.

    The scale is the ratio of the lengths before and after the linear blend. A fixed scale would need independent parts,
    and a crossfade that turns back in mid-fade has dependent parts.
    """
    if len(parts) == 1:
        return parts[0][0]
    if blend == "slerp":
        return slerp(parts, dims=LATENT)
    total = sum(weight for _, weight in parts)
    noise = torch.stack([noise * (weight / total) for noise, weight in parts])  # [parts, n, c, h, w]
    mean = noise.sum(0)  # [n, c, h, w]
    before = torch.linalg.vector_norm(noise, dim=LATENT, keepdim=True).sum(0)  # [n, 1, 1, 1]
    after = torch.linalg.vector_norm(mean, dim=LATENT, keepdim=True).clamp_min(1e-12)  # [n, 1, 1, 1]
    scaled: Tensor = mean * (before / after)  # [n, c, h, w]
    return scaled
