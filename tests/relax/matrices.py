"""Dense matrices of small grids: the textbook form of the systems that the solvers solve."""

import numpy as np


def dirichlet(side: int, shift: float) -> np.ndarray:
    """Return the Laplacian of a square grid with a fixed border, plus `shift` on the diagonal."""
    line = 2.0 * np.eye(side) - np.eye(side, k=1) - np.eye(side, k=-1)
    return np.kron(line, np.eye(side)) + np.kron(np.eye(side), line) + shift * np.eye(side * side)


def screened(c: np.ndarray) -> np.ndarray:
    """Return the matrix of RedBlack's system: graph Laplacian with a free border, plus c."""
    height, width = c.shape
    ends = [np.eye(size, k=1) + np.eye(size, k=-1) for size in (height, width)]
    adjacent = np.kron(ends[0], np.eye(width)) + np.kron(np.eye(height), ends[1])
    return np.diag(adjacent.sum(axis=1) + c.ravel()) - adjacent
