"""When an iterative solver stops, and what it hands back."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Stop:
    """Stop at ||r|| <= eps ||r_0|| (relative, Algorithm 1) or <= eps (absolute, section 3), or at `limit`."""

    eps: float = 1e-8
    relative: bool = True
    limit: int = 100_000

    def goal(self, first: float) -> float:
        """Return the residual norm to reach, given the first one."""
        return self.eps * first if self.relative else self.eps


@dataclass(frozen=True)
class Solution:
    """What a solver found; `iterations` is the cost that the learners learn from."""

    x: np.ndarray
    iterations: int
    residual: float
    """||b - A x||_2, recomputed or as the recurrence has it."""
    converged: bool
