"""The numbers of each denoising stage, looked up once in the model's noise schedule."""

import math
from dataclasses import dataclass

from sdstream.controls import Prediction

SIGMA_DATA = 0.5
"""The consistency model's boundary constant (Luo et al. 2023, equation 9)."""


@dataclass(frozen=True)
class NoiseTable:
    """A model's noise schedule; see `engine/scheduler.py` for reading a scheduler's config."""

    alphas_cumprod: tuple[float, ...]
    """ᾱ_t for each training timestep t."""
    timesteps: tuple[int, ...]
    """The 50 timesteps that `steps` index, noisiest first: 999, 979, … 19 of 1000."""
    prediction: Prediction = "epsilon"
    timestep_scaling: float = 10.0


@dataclass(frozen=True)
class Schedule:
    """The stages of a list of steps; each tuple has a number for each stage, noisiest stage first."""

    timesteps: tuple[int, ...]
    a: tuple[float, ...]
    """Signal share sqrt(ᾱ_t)."""
    b: tuple[float, ...]
    """Noise share sqrt(1 - ᾱ_t)."""
    c_skip: tuple[float, ...]
    c_out: tuple[float, ...]
    prediction: Prediction

    @classmethod
    def of(cls, table: NoiseTable, steps: tuple[int, ...]) -> "Schedule":
        """Look up `steps`: increasing indices into the table's timesteps."""
        times = tuple(table.timesteps[step] for step in steps)
        scaled = [table.timestep_scaling * t for t in times]
        spread = [s * s + SIGMA_DATA**2 for s in scaled]
        return cls(
            timesteps=times,
            a=tuple(math.sqrt(table.alphas_cumprod[t]) for t in times),
            b=tuple(math.sqrt(1.0 - table.alphas_cumprod[t]) for t in times),
            c_skip=tuple(SIGMA_DATA**2 / s for s in spread),
            c_out=tuple(s / math.sqrt(total) for s, total in zip(scaled, spread, strict=True)),
            prediction=table.prediction,
        )

    def __len__(self) -> int:
        return len(self.timesteps)

    def clean(self, stage: int) -> tuple[float, float]:
        """Return (p, q) with x̂0 = p x + q output at `stage`, for the model's type of prediction."""
        a, b = self.a[stage], self.b[stage]
        if self.prediction == "epsilon":
            return 1.0 / a, -b / a
        return (a, -b) if self.prediction == "v_prediction" else (0.0, 1.0)
