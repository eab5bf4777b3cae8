"""Which omega to sweep with: ChebCB around the closed form, taught by an extrapolated cost."""

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
"""The arms: 2 - omega is so many times the closed form's. It knows neither masks nor how few sweeps there are."""

UNTRUSTED = 0.5
"""Share of the mean c that theory is asked about: where there is no trust, c is the small pull alone, and the slowest
error lives there. `sdstream bench constants --only untrusted` measured the best share, the square of the best stretch:
0.25 to 0.83 over eight clips at two strengths, 0.7 in the middle."""

OMEGA_RANGE = (1.0, 1.985)
TERMS = 3
CONTEXTS = (-4.5, -0.5)
"""log10 of the mean screening, from the weakest pull at 2048 pixels to a firm hold at 64."""

TOLERANCE = 0.1
"""The error in grey levels (RMS) that the extrapolated cost counts the sweeps to. Tighter than any eye: with 0.5, K
sweeps are often enough for every arm, and the cost no longer tells them apart."""

LONGEST = 100.0
_KIND = "stabiliser"


def extrapolated_cost(sweeps: Sweeps, omega: float, screening: float) -> float:
    """Return the sweeps that an RMS error of TOLERANCE would take, from what K of them measured on their way.

    The error left is about w h l / |1 - l|, with h the last correction and l the slowest eigenvalue; more sweeps shrink
    it by |l| each. If the corrections shrink by w - 1 the eigenvalues are complex, and by Young's equation
    |1 - l| = w sqrt(1 - b^2), more than 1 - |l|, where b is the Jacobi radius; else l is the measured contraction.
    "Sweeps until a loose tolerance" would prefer too small an omega: residuals see only high frequencies.
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
    """An omega for one frame; give it back with what its sweeps measured."""

    omega: float
    screening: float
    choice: ChebChoice


class OmegaTuner:
    """Chooses omega per frame. `path` keeps what was learned; a file that cannot be used is logged and replaced."""

    def __init__(self, seed: int, path: Path | None = None) -> None:
        self._path = path
        self._learner = ChebCB(np.array(STRETCHES), TERMS, *CONTEXTS, np.random.default_rng(seed))
        if not self._restored():
            self._believe_the_theory()

    def choose(self, screening: float, *, explore: bool = True) -> Tuned:
        """Return an omega for a system whose mean c is `screening`; without `explore`, the best one known."""
        choice = self._learner.choose(math.log10(screening), explore=explore)
        return Tuned(stretched(choice.omega, screening), screening, choice)

    def learn(self, tuned: Tuned, sweeps: Sweeps) -> float:
        """Take in what the sweeps measured, at once or frames later; return the extrapolated cost in sweeps."""
        cost = extrapolated_cost(sweeps, tuned.omega, tuned.screening)
        self._learner.learn(tuned.choice, cost)
        return cost

    def save(self, *, durable: bool) -> None:
        """Keep what was learned, if there is a place for it; a full disk is told of, and ends no show."""
        if self._path is None:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            states.save(self._path, _KIND, self._learner.state(), durable=durable)
        except OSError as error:
            get_logger().warning("learned omegas not kept", path=str(self._path), reason=str(error))

    def _restored(self) -> bool:
        if self._path is None:
            return False
        try:
            self._learner.restore(states.load(self._path, _KIND))
        except FileNotFoundError:
            return False
        except (ConfigError, OSError) as error:
            get_logger().warning("learned omegas not used", path=str(self._path), reason=str(error))
            return False
        return True

    def _believe_the_theory(self) -> None:
        """Prime each arm with what Lemma 2.1 foresees for it, so that the very first frames are good."""
        low, high = CONTEXTS
        nodes = 0.5 * (low + high) + 0.5 * (high - low) * np.cos(math.pi * (np.arange(TERMS) + 0.5) / TERMS)
        for context in nodes:
            screening = 10.0 ** float(context)
            radius = 4.0 / (4.0 + UNTRUSTED * screening)
            omegas = [stretched(stretch, screening) for stretch in STRETCHES]
            costs = [surrogate_cost(omega, radius, tau=0.0, eps=0.05) for omega in omegas]
            self._learner.prime(float(context), np.minimum(costs, LONGEST))


def state_file(folder: Path | None, system: str, width: int, height: int, sweeps: int) -> Path | None:
    """Return where a learner of this system is kept: what it learned is true for this size and budget only."""
    return None if folder is None else folder / f"{system}-{width}x{height}-{sweeps}.json"


def stretched(stretch: float, screening: float) -> float:
    """Return the omega of one arm: the closed form for a constant screening, its distance to 2 stretched."""
    closed = optimal_omega(4.0 / (4.0 + screening))
    return min(max(2.0 - stretch * (2.0 - closed), OMEGA_RANGE[0]), OMEGA_RANGE[1])
