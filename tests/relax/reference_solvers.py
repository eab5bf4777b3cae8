"""SOR, SSOR and conjugate gradients for any matrix, in lexicographic order: the reference for the faster code."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Matrix = Any
"""A dense array or scipy.sparse matrix, square, with a positive diagonal (`Any`: scipy has no types)."""


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


def sor(
    matrix: Matrix, b: np.ndarray, omega: float, stop: Stop | None = None, x0: np.ndarray | None = None
) -> Solution:
    """Solve A x = b by x += (D/w + L)^-1 (b - A x), from x0 or from zero (Algorithm 1).

    Raises ValueError unless 0 < omega < 2.
    """
    lower, _, _ = triangles(matrix, omega)
    return _iterate(matrix, b, lower, stop or Stop(), x0)


def ssor(
    matrix: Matrix, b: np.ndarray, omega: float, stop: Stop | None = None, x0: np.ndarray | None = None
) -> Solution:
    """Solve A x = b by x += W^-1 (b - A x), W = w/(2-w) (D/w + L) D^-1 (D/w + L^T) (Algorithm 8).

    Section 3 runs SSOR on random b with an absolute tolerance: `Stop(relative=False)`.
    Raises ValueError unless 0 < omega < 2.
    """
    return _iterate(matrix, b, ssor_preconditioner(matrix, omega), stop or Stop(), x0)


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


def ssor_preconditioner(matrix: Matrix, omega: float) -> Callable[[np.ndarray], np.ndarray]:
    """Return r -> W^-1 r of `ssor`. Raises ValueError unless 0 < omega < 2."""
    lower, upper, diagonal = triangles(matrix, omega)
    scale = (2.0 - omega) / omega
    return lambda r: upper(scale * diagonal * lower(r))


def triangles(
    matrix: Matrix, omega: float
) -> tuple[Callable[[np.ndarray], np.ndarray], Callable[[np.ndarray], np.ndarray], np.ndarray]:
    """Return solvers for D/w + L and D/w + U, and the diagonal. Raises ValueError unless 0 < omega < 2."""
    if not 0.0 < omega < 2.0:
        raise ValueError(f"SOR converges for omega in (0, 2) only, got {omega}")
    from scipy import linalg, sparse
    from scipy.sparse.linalg import spsolve_triangular

    diagonal = np.asarray(matrix.diagonal(), dtype=np.float64)
    if not sparse.issparse(matrix):
        low, up = (
            np.tril(matrix, -1) + np.diag(diagonal / omega),
            np.triu(matrix, 1) + np.diag(diagonal / omega),
        )
        return (
            lambda r: np.asarray(linalg.solve_triangular(low, r, lower=True)),
            lambda r: np.asarray(linalg.solve_triangular(up, r)),
            diagonal,
        )
    scaled = sparse.diags(diagonal / omega)
    lower, upper = (sparse.tril(matrix, -1) + scaled).tocsr(), (sparse.triu(matrix, 1) + scaled).tocsr()
    return (
        lambda r: np.asarray(spsolve_triangular(lower, r, lower=True)),
        lambda r: np.asarray(spsolve_triangular(upper, r, lower=False)),
        diagonal,
    )


def _iterate(
    matrix: Matrix,
    b: np.ndarray,
    apply: Callable[[np.ndarray], np.ndarray],
    stop: Stop,
    x0: np.ndarray | None,
) -> Solution:
    x = np.zeros(len(b)) if x0 is None else np.array(x0, dtype=np.float64)
    r = b - matrix @ x
    norm = float(np.linalg.norm(r))
    goal = stop.goal(norm)
    for k in range(stop.limit + 1):
        if norm <= goal:
            return Solution(x, k, norm, converged=True)
        if k < stop.limit:
            x += apply(r)
            r = b - matrix @ x
            norm = float(np.linalg.norm(r))
    return Solution(x, stop.limit, norm, converged=False)
