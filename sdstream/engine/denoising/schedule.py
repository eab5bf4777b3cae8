"""The numbers of each denoising stage, looked up once in the model's noise schedule."""

import math
from dataclasses import dataclass
from itertools import pairwise

from sdstream.controls import Prediction
from sdstream.engine.denoising.sampler import LCM, Move, Sampler, moves

SIGMA_DATA = 0.5
"""The consistency model's boundary constant (Luo et al. 2023, equation 9)."""

NEAR = 1e-3
"""A fraction of a timestep that counts as none: `steps` are written with few digits."""


@dataclass(frozen=True)
class NoiseTable:
    """A model's noise schedule and sampler; see `engine/scheduler.py` for reading a scheduler's config."""

    alphas_cumprod: tuple[float, ...]
    """ᾱ_t for each training timestep t."""
    timesteps: tuple[float, ...]
    """The 50 timesteps that `steps` index, noisiest first: 999, 979, … 19 of 1000."""
    prediction: Prediction = "epsilon"
    timestep_scaling: float = 10.0
    sampler: Sampler = LCM
    trailing: bool = True
    """Whether the timesteps count from the noisy end, which decides the direction of rounding."""
    fractions: bool = False
    """Whether a timestep may be a fraction, as in Euler's linear spacing; a fraction's noise is interpolated."""

    def timestep(self, step: float) -> float:
        """Return the timestep at a position among the 50, a whole number unless `fractions`.

        Raises ValueError for a position beyond the last timestep.
        """
        index = min(int(step), len(self.timesteps) - 2)
        first, second = self.timesteps[index : index + 2]
        exact = first + (step - index) * (second - first)
        if exact < -0.5:
            raise ValueError(f"step {step:g} is beyond the last timestep: expected at most {self.last_step:g}")
        near = round(exact + 1) - 1 if self.trailing else round(exact)
        return max(0, near) if not self.fractions or abs(exact - near) < NEAR else exact

    @property
    def last_step(self) -> float:
        """The position of timestep 0, from the last two of the 50 timesteps."""
        before, last = self.timesteps[-2:]
        return len(self.timesteps) - 1 + last / (before - last)

    def share(self, timestep: float) -> float:
        """Return the signal share ᾱ at a timestep; between two whole timesteps, sigma is interpolated."""
        low = int(timestep)
        part = timestep - low
        if part == 0:
            return self.alphas_cumprod[low]
        before, after = ((1.0 - share) / share for share in self.alphas_cumprod[low : low + 2])
        return 1.0 / (1.0 + ((1.0 - part) * math.sqrt(before) + part * math.sqrt(after)) ** 2)


@dataclass(frozen=True)
class Schedule:
    """The stages of a list of steps; each tuple has a number for each stage, noisiest stage first."""

    timesteps: tuple[float, ...]
    a: tuple[float, ...]
    """Signal share sqrt(ᾱ_t)."""
    b: tuple[float, ...]
    """Noise share sqrt(1 - ᾱ_t)."""
    c_skip: tuple[float, ...]
    c_out: tuple[float, ...]
    """The consistency boundary; 0 and 1 for a sampler without a boundary."""
    prediction: Prediction
    moves: tuple[Move, ...]
    """The way on from each stage; the last leads to the finished latent."""

    @classmethod
    def of(cls, table: NoiseTable, steps: tuple[float, ...]) -> "Schedule":
        """Look up `steps`: increasing positions among the table's timesteps.

        Raises ValueError for a position beyond the last timestep, and for two positions of the same timestep.
        """
        times = tuple(table.timestep(step) for step in steps)
        for (sooner, later), pair in zip(pairwise(times), pairwise(steps), strict=True):
            if sooner <= later:
                raise ValueError(f"steps {pair[0]:g} and {pair[1]:g} are the same timestep {later:g}; remove one")
        shares = [table.share(t) for t in times]
        scaled = [table.timestep_scaling * t for t in times]
        spread = [s * s + SIGMA_DATA**2 for s in scaled]
        bounded = table.sampler.name == "lcm"
        return cls(
            timesteps=times,
            a=tuple(math.sqrt(share) for share in shares),
            b=tuple(math.sqrt(1.0 - share) for share in shares),
            c_skip=tuple(SIGMA_DATA**2 / s if bounded else 0.0 for s in spread),
            c_out=tuple(s / math.sqrt(total) if bounded else 1.0 for s, total in zip(scaled, spread, strict=True)),
            prediction=table.prediction,
            moves=moves(table.sampler, times, table.share),
        )

    def __len__(self) -> int:
        return len(self.timesteps)

    def clean(self, stage: int) -> tuple[float, float]:
        """Return (p, q) with x̂0 = p x + q output at `stage`, for the model's type of prediction."""
        a, b = self.a[stage], self.b[stage]
        if self.prediction == "epsilon":
            return 1.0 / a, -b / a
        return (a, -b) if self.prediction == "v_prediction" else (0.0, 1.0)
