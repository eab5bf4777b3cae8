"""The stabiliser with a relaxation parameter that is given instead of learned, and how far each solve stopped short."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np

from sdstream.config.stabilise import StabiliseSettings
from sdstream.relax.red_black import Sweeps
from sdstream.stabilise.stabiliser import Stabiliser
from sdstream.stabilise.tuning import OmegaTuner, Tuned


class FixedOmega(OmegaTuner):
    """Plays one omega for ever."""

    def __init__(self, omega: float) -> None:
        super().__init__(0)
        self._omega = omega

    def choose(self, screening: float, *, explore: bool = True) -> Tuned:
        """Return the omega, whatever the system is."""
        return replace(super().choose(screening, explore=explore), omega=self._omega)

    def learn(self, tuned: Tuned, sweeps: Sweeps) -> float:  # noqa: ARG002 - as the tuner has it
        """Learn nothing, and return NaN."""
        return math.nan


class MeasuredStabiliser(Stabiliser):
    """The stabiliser, measured. `omega` None learns the relaxation parameter, as the product does."""

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
