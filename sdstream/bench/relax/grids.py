"""The two grids of the experiments: the domain of the equations, and the arms of a learner."""

import math

import numpy as np


def grid_jacobi_radius(side: int, shift: float) -> float:
    """Return rho(I - D^-1 A) of A = Laplacian(side x side, Dirichlet) + shift I, exactly."""
    return 4.0 * math.cos(math.pi / (side + 1)) / (4.0 + shift)


def omega_grid(low: float, high: float, size: int) -> np.ndarray:
    """Return the `size` evenly spaced arms of [low, high]; the paper plays 20 arms of [1, 1.95]."""
    if not 0.0 < low <= high < 2.0:
        raise ValueError(f"SOR converges for omega in (0, 2) only, got [{low}, {high}]")
    return np.linspace(low, high, size)
