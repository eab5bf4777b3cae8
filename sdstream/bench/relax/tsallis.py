"""Tsallis-INF (Algorithm 2) and the binned contextual form (Algorithm 5): bandits without a model."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from sdstream.errors import ConfigError
from sdstream.relax import state as states
from sdstream.relax.learner import Choice, State, checked, draw

Estimator = Literal["importance", "reduced-variance"]


@dataclass(frozen=True)
class TsallisChoice(Choice):
    """A choice and the learning rate at the time of the choice, for the reduced-variance baseline."""

    eta: float


def tsallis_probabilities(losses: np.ndarray, eta: float) -> np.ndarray:
    """Return argmin over the simplex of <losses, p> - (4/eta) sum sqrt(p) (Algorithm 2, appendix B).

    The solution is p_i = 4 / (eta (l_i - x))^2. Newton's method for the normaliser x starts at min(l) - 2/eta. There
    the least loss alone has p = 1, so the sum is >= 1, x is right of the root of a convex function, and every step goes
    left without overshooting. (A fixed start such as x = -1 leaves the branch after some hundred rounds and lands on
    the pole.)
    """
    gaps = losses - losses.min()
    x = -2.0 / eta
    for _ in range(64):
        p = 4.0 / (eta * (gaps - x)) ** 2
        excess = p.sum() - 1.0
        if excess <= 1e-12:
            break
        x -= excess / (eta * (p**1.5).sum())
    return np.asarray(p / p.sum())


class TsallisINF:
    """Algorithm 2 with the anytime rates of appendices B and G.

    `importance` is the paper's estimator with eta_t = 2/sqrt(t); `reduced-variance` subtracts a baseline of 1/2 from
    arms with p >= eta^2, with eta_t = 4/sqrt(t) (Zimmert and Seldin). Costs enter as (cost - 1) / K, with the running
    mean K of cost - 1.
    """

    def __init__(self, grid: np.ndarray, rng: np.random.Generator, estimator: Estimator = "importance") -> None:
        self.grid = np.asarray(grid, dtype=np.float64)
        self._rng = rng
        self._estimator = estimator
        self._sums = np.zeros(len(grid))  # importance-weighted sums of (cost - 1), in iterations
        self._baseline = np.zeros(len(grid))  # sums of the baseline's share, in units of K
        self._rounds = 0
        self._total = 0.0

    def losses(self) -> np.ndarray:
        """Return the estimated cumulative losses in units of K, (d,)."""
        mean = self._total / self._rounds if self._total > 0.0 else 1.0
        return np.asarray(self._sums / mean + self._baseline)

    def choose(self, context: float = 0.0) -> TsallisChoice:  # noqa: ARG002 - the argument of Learner
        """Draw an arm; the context is ignored."""
        rate = 4.0 if self._estimator == "reduced-variance" else 2.0
        eta = rate / math.sqrt(self._rounds + 1)
        p = tsallis_probabilities(self.losses(), eta)
        arm = draw(p, self._rng)
        return TsallisChoice(arm=arm, omega=float(self.grid[arm]), probabilities=p, eta=eta)

    def learn(self, choice: TsallisChoice, cost: float) -> None:
        """Learn the cost of an earlier choice. Raises RefusedCost."""
        excess = max(checked(cost) - 1.0, 0.0)
        self._rounds += 1
        self._total += excess
        probability = choice.probabilities[choice.arm]
        self._sums[choice.arm] += excess / probability
        if self._estimator == "reduced-variance":
            baseline = 0.5 * (choice.probabilities >= choice.eta**2)
            self._baseline += baseline
            self._baseline[choice.arm] -= baseline[choice.arm] / probability

    def state(self) -> State:
        """Return the learner's state as JSON values."""
        return {
            "grid": self.grid.tolist(),
            "estimator": self._estimator,
            "sums": self._sums.tolist(),
            "baseline": self._baseline.tolist(),
            "rounds": self._rounds,
            "total": self._total,
            "rng": states.generator_state(self._rng),
        }

    def restore(self, state: State) -> None:
        """Replace the learner's state by `state`. Raises ConfigError without any change of the learner."""
        if not np.array_equal(states.array(state, "grid", self.grid), self.grid):
            raise ConfigError("learner state: expected the same grid of omegas as the learner's")
        if state.get("estimator") != self._estimator:
            raise ConfigError(f"learner state: expected estimator {self._estimator!r}")
        sums = states.array(state, "sums", self._sums)
        baseline = states.array(state, "baseline", self._baseline)
        rounds, total = int(states.number(state, "rounds")), states.number(state, "total")
        states.restore_generator(self._rng, state)
        self._sums, self._baseline, self._rounds, self._total = sums, baseline, rounds, total


@dataclass(frozen=True)
class BinnedChoice(Choice):
    """A choice and the index of the bin."""

    bin: int
    inner: TsallisChoice


class BinnedTsallisINF:
    """Algorithm 5: the context interval in equal bins, with a Tsallis-INF in each bin."""

    def __init__(self, learners: list[TsallisINF], low: float, high: float) -> None:
        if not learners or not low < high:
            raise ValueError(f"expected at least 1 learner and low < high, got {len(learners)} and [{low}, {high}]")
        self._learners = learners
        self._low, self._high = low, high

    def choose(self, context: float) -> BinnedChoice:
        """Draw an arm from the learner of the context's bin; outside the interval, of the nearest bin."""
        share = (context - self._low) / (self._high - self._low)
        index = min(max(int(share * len(self._learners)), 0), len(self._learners) - 1)
        inner = self._learners[index].choose()
        return BinnedChoice(inner.arm, inner.omega, inner.probabilities, bin=index, inner=inner)

    def learn(self, choice: BinnedChoice, cost: float) -> None:
        """Learn the cost of an earlier choice. Raises RefusedCost."""
        self._learners[choice.bin].learn(choice.inner, cost)

    def state(self) -> State:
        """Return the state of every bin's learner."""
        return {"low": self._low, "high": self._high, "bins": [learner.state() for learner in self._learners]}

    def restore(self, state: State) -> None:
        """Replace the state of every bin's learner. Raises ConfigError."""
        bins = state.get("bins")
        edges = (states.number(state, "low"), states.number(state, "high"))
        if not isinstance(bins, list) or len(bins) != len(self._learners) or edges != (self._low, self._high):
            raise ConfigError("learner state: expected the same bins as the learner's")
        for learner, part in zip(self._learners, bins, strict=True):
            learner.restore(part)
