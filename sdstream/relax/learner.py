"""What a learner of omega is: it chooses an arm before a solve, and is told the cost some time later."""

import math
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np

from sdstream.errors import Bug

ABSURD_COST = 1e6
"""No solve takes a million iterations; ChebCB scales itself by the largest cost, so one would blind it."""

State = dict[str, object]
"""A learner's memory as JSON values."""


class RefusedCost(Bug):
    """A cost was not a finite number in (0, ABSURD_COST]; the learner is unchanged."""


@dataclass(frozen=True)
class Choice:
    """One round's decision. Keep it until the cost is known: feedback may come late and out of order."""

    arm: int
    """Index into the learner's grid."""
    omega: float
    """The relaxation parameter to solve with."""
    probabilities: np.ndarray
    """The distribution the arm was drawn from, (d,), sums to 1."""


C = TypeVar("C", bound=Choice)


class Learner(Protocol[C]):
    """Tsallis-INF, its binned form, and ChebCB."""

    def choose(self, context: float) -> C:
        """Draw an arm for an instance with this context (ignored by learners without one)."""

    def learn(self, choice: C, cost: float) -> None:
        """Take in the cost (iterations) of an earlier choice. Raises RefusedCost."""

    def state(self) -> State:
        """Return all that is needed to go on later as if nothing had happened, random generator included."""

    def restore(self, state: State) -> None:
        """Go on from `state`. Raises ConfigError if it belongs to another learner."""


def checked(cost: float) -> float:
    """Return the cost, or raise RefusedCost."""
    if not (math.isfinite(cost) and 0.0 < cost <= ABSURD_COST):
        raise RefusedCost(f"cost {cost!r} refused: expected iterations in (0, {ABSURD_COST:g}]")
    return float(cost)


def draw(probabilities: np.ndarray, rng: np.random.Generator) -> int:
    """Draw an index; robust to a last cumulative sum a rounding error below 1."""
    index = int(np.searchsorted(np.cumsum(probabilities), rng.random(), side="right"))
    return min(index, len(probabilities) - 1)
