"""Conjugate gradients, plain or preconditioned by SSOR (section 2.5)."""

import numpy as np

from sdstream.bench.relax.lexicographic import Matrix, ssor_preconditioner
from sdstream.bench.relax.stopping import Solution, Stop


def ssor_cg(
    matrix: Matrix, b: np.ndarray, omega: float | None, stop: Stop | None = None, x0: np.ndarray | None = None
) -> Solution:
    """Solve A x = b, A symmetric positive definite, preconditioned by SSOR with `omega` (None: not at all).

    Raises ValueError unless 0 < omega < 2.
    """
    stop = stop or Stop()
    precondition = ssor_preconditioner(matrix, omega) if omega is not None else lambda r: r.copy()
    x = np.zeros(len(b)) if x0 is None else np.array(x0, dtype=np.float64)
    r = b - matrix @ x
    norm = float(np.linalg.norm(r))
    goal = stop.goal(norm)
    z = precondition(r)
    p, rz = z.copy(), float(r @ z)
    for k in range(stop.limit + 1):
        if norm <= goal:
            return Solution(x, k, norm, converged=True)
        q = matrix @ p
        step = rz / float(p @ q)
        x, r = x + step * p, r - step * q
        norm = float(np.linalg.norm(r))
        z = precondition(r)
        before, rz = rz, float(r @ z)
        p = z + (rz / before) * p
    return Solution(x, stop.limit, norm, converged=False)
