"""The stopping rule of an iterative solver, and the result."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Stop:
    """Stop at ||r|| <= eps ||r_0|| (relative, Algorithm 1) or <= eps (absolute, section 3), or at `limit`."""

    eps: float = 1e-8
    relative: bool = True
    limit: int = 100_000

    def goal(self, first: float) -> float:
        """Return the residual norm to reach, given the first residual norm."""
        return self.eps * first if self.relative else self.eps


@dataclass(frozen=True)
class Solution:
    """Result of a solver; `iterations` is the learners' cost."""

    x: np.ndarray
    iterations: int
    residual: float
    """||b - A x||_2, recomputed or from the recurrence."""
    converged: bool
