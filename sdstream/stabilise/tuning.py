"""Chooses the omega of the sweeps: ChebCB around the closed form, with an extrapolated cost as feedback."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sdstream.errors import ConfigError
from sdstream.log import get_logger
from sdstream.relax import state as states
from sdstream.relax.chebcb import ChebCB, ChebChoice
from sdstream.relax.red_black import Sweeps
from sdstream.relax.young import optimal_omega, surrogate_cost

STRETCHES = (0.4, 0.55, 0.7, 0.85, 1.0, 1.3)
"""The arms: the factor on 2 - omega of the closed form. The closed form ignores masks and the small number of sweeps.
"""

UNTRUSTED = 0.5
"""Factor on the mean c in the theory's prediction: without trust, c is the small pull alone, and such points have the
slowest error. `sdstream bench constants --only untrusted` measured the best factor, the square of the best stretch:
0.25 to 0.83 over eight clips at two strengths, 0.7 in the middle."""

OMEGA_RANGE = (1.0, 1.985)
TERMS = 3
CONTEXTS = (-4.5, -0.5)
"""log10 of the mean screening, from the weakest pull at 2048 pixels to a firm hold at 64."""

TOLERANCE = 0.1
"""RMS error in grey levels at the end of the extrapolated sweeps. The tolerance is below the visible: with 0.5, K
sweeps are often enough for every arm, and then all arms have the same cost."""

LONGEST = 100.0
"""Largest extrapolated cost, sweeps."""

_KIND = "stabiliser"


def extrapolated_cost(sweeps: Sweeps, omega: float, screening: float) -> float:
    """Extrapolate the measurements of K sweeps: return the number of sweeps to an RMS error of TOLERANCE.

    The error left is about w h l / |1 - l|, with the last correction h and the slowest eigenvalue l; every further
    sweep multiplies the error by |l|. If the corrections shrink by w - 1, the eigenvalues are complex, and Young's
    equation gives |1 - l| = w sqrt(1 - b^2), more than 1 - |l|, with the Jacobi radius b; else l is the measured
    contraction. The sweeps to a loose tolerance of the residual would favour too small an omega, because a residual
    shows high frequencies only.
    """
    contraction = min(max(sweeps.contraction, omega - 1.0, 1e-3), 0.999)
    distance = 1.0 - contraction
    radius = 4.0 / (4.0 + screening)
    if sweeps.contraction <= omega - 1.0 and omega > optimal_omega(radius):
        distance = omega * math.sqrt(1.0 - radius**2)
    left = omega * sweeps.correction * contraction / distance
    more = math.log(max(left, 1e-30) / TOLERANCE) / -math.log(contraction)
    return min(max(sweeps.count + more, 2.0), LONGEST)


@dataclass(frozen=True)
class Tuned:
    """An omega for a frame; hand the object back to `learn` with the measured sweeps."""

    omega: float
    screening: float
    choice: ChebChoice


class OmegaTuner:
    """Chooses omega for each frame. The learner's state is kept at `path`; an unusable file is logged and replaced."""

    def __init__(self, seed: int, path: Path | None = None) -> None:
        self._path = path
        self._learner = ChebCB(np.array(STRETCHES), TERMS, *CONTEXTS, np.random.default_rng(seed))
        if not self._restored():
            self._prime_by_theory()

    def choose(self, screening: float, *, explore: bool = True) -> Tuned:
        """Return an omega for a system with mean c `screening`; without `explore`, the best omega known."""
        choice = self._learner.choose(math.log10(screening), explore=explore)
        return Tuned(stretched(choice.omega, screening), screening, choice)

    def learn(self, tuned: Tuned, sweeps: Sweeps) -> float:
        """Learn from measured sweeps, at once or frames later; return the extrapolated cost in sweeps."""
        cost = extrapolated_cost(sweeps, tuned.omega, tuned.screening)
        self._learner.learn(tuned.choice, cost)
        return cost

    def save(self, *, durable: bool) -> None:
        """Save the learner's state if a path was given; log a failure, because a full disk must not end the run."""
        if self._path is None:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            states.save(self._path, _KIND, self._learner.state(), durable=durable)
        except OSError as error:
            get_logger().warning("learned omegas not saved", path=str(self._path), reason=str(error))

    def _restored(self) -> bool:
        if self._path is None:
            return False
        try:
            self._learner.restore(states.load(self._path, _KIND))
        except FileNotFoundError:
            return False
        except (ConfigError, OSError) as error:
            get_logger().warning("learned omegas not loaded", path=str(self._path), reason=str(error))
            return False
        return True

    def _prime_by_theory(self) -> None:
        """Prime each arm with the cost by Lemma 2.1, for good omegas from the first frame on."""
        low, high = CONTEXTS
        nodes = 0.5 * (low + high) + 0.5 * (high - low) * np.cos(math.pi * (np.arange(TERMS) + 0.5) / TERMS)
        for context in nodes:
            screening = 10.0 ** float(context)
            radius = 4.0 / (4.0 + UNTRUSTED * screening)
            omegas = [stretched(stretch, screening) for stretch in STRETCHES]
            costs = [surrogate_cost(omega, radius, tau=0.0, eps=0.05) for omega in omegas]
            self._learner.prime(float(context), np.minimum(costs, LONGEST))


def state_file(folder: Path | None, system: str, width: int, height: int, sweeps: int) -> Path | None:
    """Return the file of a learner's state; the state is valid for this system, size and number of sweeps only."""
    return None if folder is None else folder / f"{system}-{width}x{height}-{sweeps}.json"


def stretched(stretch: float, screening: float) -> float:
    """Return the omega of an arm: from the closed form for a constant screening, with the distance to 2 stretched."""
    closed = optimal_omega(4.0 / (4.0 + screening))
    return min(max(2.0 - stretch * (2.0 - closed), OMEGA_RANGE[0]), OMEGA_RANGE[1])
