"""The fusion at work: the buffers for a picture size, and the solve of each frame."""

import math
from dataclasses import dataclass

import numpy as np

from sdstream.config.stabilise import StabiliseSettings
from sdstream.stabilise.fusion import fusion_system
from sdstream.stabilise.motion import Motion, warp
from sdstream.stabilise.solver import open_solver
from sdstream.stabilise.tuning import OmegaTuner
from sdstream.stabilise.weights import REFERENCE_SIDE, weights

_SEEN = 0.5
"""Trust above which a point counts as seen in both pictures, for E_warp."""


@dataclass(frozen=True)
class Steadied:
    """Figures of a call, for metrics. The numbers are NaN when nothing was fused."""

    fused: bool = False
    """False for a picture that went through untouched: first picture, cut, or steadiness 0."""
    e_warp: float = math.nan
    """Flicker left: RMS in grey levels of O_t - warp(O_{t-1}) over points seen in both (every other row and column)."""
    omega: float = math.nan
    """The relaxation parameter used."""
    cost: float = math.nan
    """Extrapolated sweeps to `tuning.TOLERANCE`. With a cost above the sweeps done, the error is above the tolerance.
    """


class Fuser:
    """Fuses pictures of a fixed size. `solver` holds the system of the latest call and the solution."""

    def __init__(self, settings: StabiliseSettings, height: int, width: int, tuner: OmegaTuner) -> None:
        self._side = 0.5 * (height + width)
        self._sweeps = sweeps_a_frame(settings, height, width)
        self._tuner = tuner
        self.solver = open_solver(settings.device, height, width, self._sweeps)

    def __call__(
        self, planes: np.ndarray, held: np.ndarray, motion: Motion, steadiness: float, *, explore: bool
    ) -> tuple[np.ndarray, Steadied]:
        """Return the fusion of `planes`, the new picture, and `held`, the last output, all (3, h, w) float32.

        `planes` is overwritten. Without `explore` the sweeps use the best omega known.
        """
        warped = np.stack([warp(plane, motion.position) for plane in held])
        system = fusion_system(warped - planes, motion.trust, weights(steadiness, self._side))
        self.solver.load(system.c, system.b, system.guess)
        tuned = self._tuner.choose(float(system.c.mean()), explore=explore)
        cost = self._tuner.learn(tuned, self.solver.sweep(tuned.omega, self._sweeps))
        planes += self.solver.x()
        np.clip(planes, 0.0, 255.0, out=planes)
        return planes, Steadied(True, e_warp(planes, warped, motion.trust > _SEEN), tuned.omega, cost)


def sweeps_a_frame(settings: StabiliseSettings, height: int, width: int) -> int:
    """Return the sweeps for a frame of this size, at least 5: the errors, and so the sweeps, grow with the side."""
    return max(round(settings.sweeps * 0.5 * (height + width) / REFERENCE_SIDE), 5)


def e_warp(new: np.ndarray, warped: np.ndarray, seen: np.ndarray) -> float:
    """Return the RMS of new - warped, (3, h, w), over points `seen` (h, w) of every second row and column.

    NaN without any point.
    """
    difference = new[:, ::2, ::2] - warped[:, ::2, ::2]
    points = seen[::2, ::2]
    count = 3 * int(np.count_nonzero(points))
    return math.sqrt(float(np.sum(difference * difference, where=points)) / count) if count else math.nan
