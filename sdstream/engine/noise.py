"""The noise cache: the same ε for every frame, so that a still picture stays still."""

from collections.abc import Sequence

import torch
from torch import Tensor

from sdstream.controls import Blend, Seeds
from sdstream.engine.blend import slerp


class NoiseCache:
    """Standard normal noise of `shape` (c, h, w) for each stage, by seed; drawn on the CPU, so that a seed
    looks the same on every device.
    """

    def __init__(self, shape: tuple[int, int, int], device: torch.device | str = "cpu", keep: int = 32) -> None:
        self._shape = shape
        self._device = torch.device(device)
        self._keep = keep
        self._drawn: dict[tuple[int, int], Tensor] = {}

    def draw(self, seed: int, stages: int) -> Tensor:
        """Return the noise of one seed; its first stages do not depend on how many there are.  # [n, c, h, w]"""
        key = (seed, stages)
        if key not in self._drawn:
            if len(self._drawn) >= self._keep:
                del self._drawn[next(iter(self._drawn))]
            source = torch.Generator("cpu").manual_seed(seed)
            noise = [torch.randn(self._shape, generator=source) for _ in range(stages)]
            self._drawn[key] = torch.stack(noise).to(self._device)
        return self._drawn[key]

    def mix(self, seeds: Seeds, blend: Blend, stages: int) -> Tensor:
        """Return the blended noise of one or more seeds, at unit variance either way.  # [n, c, h, w]"""
        if isinstance(seeds, int):
            return self.draw(seeds, stages)
        return mix_noise([(self.draw(part.seed, stages), part.weight) for part in seeds if part.weight > 0], blend)


def mix_noise(parts: Sequence[tuple[Tensor, float]], blend: Blend) -> Tensor:
    """Blend noises of one shape at unit variance: along the sphere, or straight and scaled back up."""
    if len(parts) == 1:
        return parts[0][0]
    if blend == "slerp":
        return slerp(parts, dims=(-3, -2, -1))
    length = sum(weight**2 for _, weight in parts) ** 0.5
    return torch.stack([noise * (weight / length) for noise, weight in parts]).sum(0)
