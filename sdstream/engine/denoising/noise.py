"""The noise cache: the same ε for every frame, so that a still picture stays still."""

from collections.abc import Sequence

import torch
from torch import Tensor

from sdstream.controls import Blend, Seeds
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
        self._keep = keep
        self._kept: dict[tuple[Seeds, Blend, int], Tensor] = {}

    def draw(self, seed: int, stages: int) -> Tensor:
        """Return the noise of one seed; its first stages do not depend on how many there are.  # [n, c, h, w]"""
        return self.mix(seed, "linear", stages)

    def mix(self, seeds: Seeds, blend: Blend, stages: int) -> Tensor:
        """Return the noise of one or more seeds, at unit variance however blended.  # [n, c, h, w]

        The same question gets the same tensor, as long as it is among the latest.
        """
        key = (seeds, blend, stages)
        if key not in self._kept:
            noise = self._work_out(seeds, blend, stages)
            if len(self._kept) >= self._keep:
                del self._kept[next(iter(self._kept))]
            self._kept[key] = noise
        return self._kept[key]

    def forget(self) -> None:
        """Drop what was kept."""
        self._kept.clear()

    def _work_out(self, seeds: Seeds, blend: Blend, stages: int) -> Tensor:
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
