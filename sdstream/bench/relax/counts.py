"""Iteration counts of many solves at once: the price tables on which the experiments play.

Each system is (diag - N) x = r0 on an n x n grid with couplings scaled to 1, from x = 0; only residuals are iterated.
The counts equal the counts of plain solvers: a test compares both.
"""

import numpy as np

from sdstream.bench.relax.wavefront import Wavefronts
from sdstream.errors import Bug


def sor_counts(
    waves: Wavefronts,
    diagonal: np.ndarray,
    residual: np.ndarray,
    omega: np.ndarray,
    *,
    eps: float,
    limit: int = 100_000,
) -> np.ndarray:
    """Return the iterations of lexicographic SOR until ||r|| <= eps ||r0||, per system; (systems,).

    `diagonal` and `omega` (systems,), `residual` (n * n, systems) lexicographic. From r = W d and
    A = W + (1 - 1/w) D - N_U follows r' = r - A W^-1 r = N_U d - (1 - 1/w) D d, without a subtraction of nearly equal
    numbers.
    """
    counts = np.zeros(len(diagonal), dtype=np.int64)
    alive = np.arange(len(diagonal))
    r = waves.pack(residual)
    goal = eps**2 * np.einsum("ij,ij->j", r, r)
    delta = np.zeros_like(r)
    for k in range(1, limit + 1):
        waves.forward(r, omega[alive] / diagonal[alive], delta)
        waves.upper(delta, r)
        delta *= (1.0 - 1.0 / omega[alive]) * diagonal[alive]
        r -= delta
        done = np.einsum("ij,ij->j", r, r) <= goal
        counts[alive[done & (counts[alive] == 0)]] = k
        open_ = counts[alive] == 0
        if not open_.any():
            return counts
        if open_.sum() <= 0.5 * len(alive):  # with half of the systems finished, a copy costs less than their sweeps
            alive, goal = alive[open_], goal[open_]
            r, delta = np.ascontiguousarray(r[:, open_]), np.zeros((len(r), len(alive)))
    raise Bug(f"SOR did not converge in {limit} iterations with omega {omega[alive]}")


def ssor_cg_counts(
    waves: Wavefronts,
    diagonal: np.ndarray,
    residual: np.ndarray,
    omega: np.ndarray | None,
    *,
    eps: float,
    limit: int = 100_000,
) -> np.ndarray:
    """Return the iterations of conjugate gradients until ||r|| <= eps ||r0||, per system; (systems,).

    The preconditioner is SSOR with `omega` (systems,) (section 2.5). SSOR's scalar factors do not change the iterates,
    so z is backward(forward(r)). `omega` None gives plain conjugate gradients.
    """
    batch = _Gradients(waves, diagonal, waves.pack(residual), omega)
    goal = eps**2 * np.einsum("ij,ij->j", batch.r, batch.r)
    counts = np.zeros(len(diagonal), dtype=np.int64)
    alive = np.arange(len(diagonal))
    for k in range(1, limit + 1):
        done = batch.step() <= goal
        counts[alive[done & (counts[alive] == 0)]] = k
        open_ = counts[alive] == 0
        if not open_.any():
            return counts
        if open_.sum() <= 0.7 * len(alive):
            alive, goal = alive[open_], goal[open_]
            batch.keep(open_)
    raise Bug(f"conjugate gradients did not converge in {limit} iterations")


class _Gradients:
    """Preconditioned conjugate gradients in step over all systems of a batch."""

    def __init__(self, waves: Wavefronts, diagonal: np.ndarray, r: np.ndarray, omega: np.ndarray | None) -> None:
        self._waves, self._diagonal, self.r = waves, diagonal, r
        self._inverse = None if omega is None else omega / diagonal
        self._y, self._z, self._q = np.zeros_like(r), np.zeros_like(r), np.zeros_like(r)
        self._precondition()
        self._p = self._z.copy()
        self._rz = np.einsum("ij,ij->j", self.r, self._z)

    def step(self) -> np.ndarray:
        """Do one iteration, and return the squared residual norms, (systems,).

        A finished system keeps iterating until `keep` drops the system, perhaps to r = 0 exactly: hence the guards
        against a division by zero.
        """
        self._waves.neighbours(self._p, self._q)
        np.subtract(self._diagonal * self._p[:-1], self._q[:-1], out=self._q[:-1])
        curvature = np.einsum("ij,ij->j", self._p, self._q)
        np.multiply(self._q, self._rz / np.maximum(curvature, 1e-300), out=self._q)
        self.r -= self._q
        self._precondition()
        before, self._rz = self._rz, np.einsum("ij,ij->j", self.r, self._z)
        self._p *= self._rz / np.maximum(before, 1e-300)
        self._p += self._z
        return np.asarray(np.einsum("ij,ij->j", self.r, self.r))

    def keep(self, columns: np.ndarray) -> None:
        """Drop the finished systems: `columns` is a mask of the systems to keep."""
        self._diagonal, self._rz = self._diagonal[columns], self._rz[columns]
        self._inverse = None if self._inverse is None else self._inverse[columns]
        self.r, self._p = np.ascontiguousarray(self.r[:, columns]), np.ascontiguousarray(self._p[:, columns])
        self._y, self._z, self._q = np.zeros_like(self.r), np.zeros_like(self.r), np.zeros_like(self.r)

    def _precondition(self) -> None:
        if self._inverse is None:
            np.copyto(self._z, self.r)
        else:
            self._waves.forward(self.r, self._inverse, self._y)
            self._waves.backward(self._y, self._inverse, self._z)
