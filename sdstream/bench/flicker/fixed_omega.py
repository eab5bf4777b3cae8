"""The stabiliser with a fixed relaxation parameter instead of a learned parameter, and the error of each solve."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np

from sdstream.config.stabilise import StabiliseSettings
from sdstream.relax.red_black import Sweeps
from sdstream.stabilise.stabiliser import Stabiliser
from sdstream.stabilise.tuning import OmegaTuner, Tuned


class FixedOmega(OmegaTuner):
    """Uses the same omega for every frame."""

    def __init__(self, omega: float) -> None:
        super().__init__(0)
        self._omega = omega

    def choose(self, screening: float, *, explore: bool = True) -> Tuned:
        """Return the fixed omega for any system."""
        return replace(super().choose(screening, explore=explore), omega=self._omega)

    def learn(self, tuned: Tuned, sweeps: Sweeps) -> float:  # noqa: ARG002 - the arguments of the tuner
        """Learn nothing, and return NaN."""
        return math.nan


class MeasuredStabiliser(Stabiliser):
    """The stabiliser, measured. With `omega` None the relaxation parameter is learned, as in the product."""

    def __init__(self, settings: StabiliseSettings, omega: float | None = None) -> None:
        super().__init__(settings)
        self._omega = omega

    def solve_error(self) -> float:
        """Return the RMS in grey levels between the last fusion's correction and its exact solution."""
        solver = self._fuser.solver
        short = solver.x()
        solver.sweep(self.last.omega, 16)
        solver.sweep(1.9, 200)
        return math.sqrt(float(np.mean((solver.x() - short) ** 2)))

    def _open_tuner(self, path: Path | None) -> OmegaTuner:
        return super()._open_tuner(path) if self._omega is None else FixedOmega(self._omega)
