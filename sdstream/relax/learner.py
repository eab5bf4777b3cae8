"""Parts shared by all learners of omega: the choice of an arm, the check of a cost, the type of the state."""

import math
from dataclasses import dataclass

import numpy as np

from sdstream.errors import Bug

ABSURD_COST = 1e6
"""Cost in iterations above which a cost is refused: no solve takes a million iterations. ChebCB scales all costs by the
largest cost, so a single absurd cost would hide all differences."""

State = dict[str, object]
"""A learner's state as JSON values."""


class RefusedCost(Bug):
    """A cost was not a finite number in (0, ABSURD_COST]; the learner is unchanged."""


@dataclass(frozen=True)
class Choice:
    """The decision of a round. Keep the object until the cost is known: feedback may come late and out of order."""

    arm: int
    """Index into the learner's grid."""
    omega: float
    """The relaxation parameter to solve with."""
    probabilities: np.ndarray
    """The distribution of the draw, (d,), sums to 1."""


def checked(cost: float) -> float:
    """Return the cost, or raise RefusedCost."""
    if not (math.isfinite(cost) and 0.0 < cost <= ABSURD_COST):
        raise RefusedCost(f"cost {cost!r} refused: expected iterations in (0, {ABSURD_COST:g}]")
    return float(cost)


def draw(probabilities: np.ndarray, rng: np.random.Generator) -> int:
    """Draw an index. The last cumulative sum may be a rounding error below 1."""
    index = int(np.searchsorted(np.cumsum(probabilities), rng.random(), side="right"))
    return min(index, len(probabilities) - 1)
