"""The paper's sequences of linear systems, and the price of every omega on every instance (appendix G).

With a table of prices an experiment is fair and cheap: all learners meet the same instances, and a round is a look-up.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from sdstream.bench.relax.counts import sor_counts, ssor_cg_counts
from sdstream.bench.relax.grids import grid_jacobi_radius
from sdstream.bench.relax.wavefront import Wavefronts
from sdstream.relax.young import optimal_omega

SIDE = 10
"""Side of the grid. The paper's text has a 100 x 100 domain; the paper's code builds the 10 x 10 grid, so A is
100 x 100."""

SHIFT_RANGE = (-0.15, 0.45)
BETA = {"low": (2.0, 6.0), "high": (0.5, 1.5)}
"""Parameters of the Beta distribution of the shifts, by variance."""

_BATCH = 1024
Progress = Callable[[float], None]


@dataclass(frozen=True)
class PriceTable:
    """The cost of every arm on every instance."""

    grid: np.ndarray
    """The arms' omegas, (d,)."""
    contexts: np.ndarray
    """Input of a contextual learner, (T,)."""
    interval: tuple[float, float]
    """Lowest and highest context."""
    costs: np.ndarray
    """Iterations, (T, d)."""
    extra: dict[str, np.ndarray]
    """Further comparators: name -> iterations, (T,)."""


def shifted_laplacians(variance: str, rounds: int, grid: np.ndarray, seed: int, progress: Progress) -> PriceTable:
    """Price SOR on A_t = Laplacian(10 x 10) + c_t I with eps 1e-8, from zero.

    The shift is c_t = -0.15 + 0.6 Beta; b_t is normal, with norm at most sqrt(n).
    """
    rng = np.random.default_rng(seed)
    low, high = SHIFT_RANGE
    shifts = low + (high - low) * rng.beta(*BETA[variance], size=rounds)
    right = rng.standard_normal((SIDE * SIDE, rounds))
    right *= np.minimum(SIDE / np.linalg.norm(right, axis=0), 1.0)
    optimal = np.array([optimal_omega(grid_jacobi_radius(SIDE, c)) for c in shifts])
    waves = Wavefronts(SIDE)
    order = np.argsort(shifts)
    arms = len(grid) + 1
    instance = np.tile(order, arms)  # neighbours in a batch finish together: equal omega, similar shift
    omega = np.concatenate([np.full(rounds, w) for w in grid] + [optimal[order]])
    flat = np.zeros(arms * rounds, dtype=np.int64)
    for start in range(0, arms * rounds, _BATCH):
        batch = slice(start, start + _BATCH)
        index = instance[batch]
        flat[batch] = sor_counts(waves, 4.0 + shifts[index], right[:, index], omega[batch], eps=1e-8)
        progress(min((start + _BATCH) / (arms * rounds), 1.0))
    costs = np.zeros((rounds, arms), dtype=np.int64)
    costs[order] = flat.reshape(arms, rounds).T
    return PriceTable(grid, shifts, SHIFT_RANGE, costs[:, :-1], {"closed form w*(c)": costs[:, -1]})


def heat_equation(cells: int, rounds: int, grid: np.ndarray, progress: Progress) -> PriceTable:
    """Price SSOR-CG on the Crank-Nicolson steps of u_t = kappa(t) Lap u + f on the unit square, eps 1e-8.

    Each solve starts at the field of the step before. `cells` is n_x, so n = (n_x - 1)^2; the steps are 5 / `rounds`
    long; the context is kappa. The trajectory is exact (sine transform), so the instances are the same for every
    learner: the theory's oblivious sequence.
    """
    side = cells - 1
    waves = Wavefronts(side)
    arms = len(grid)
    per_batch = max(1, 40 // arms) if side > 60 else max(1, 400 // arms)  # keep the working set in the cache
    costs = np.zeros((rounds, arms), dtype=np.int64)
    plain = np.zeros(rounds, dtype=np.int64)
    contexts = np.zeros(rounds)
    steps: list[tuple[int, float, np.ndarray]] = []
    for t, (kappa, diagonal, residual) in enumerate(_heat_steps(side, rounds)):
        contexts[t] = kappa
        steps.append((t, diagonal, residual))
        if len(steps) == per_batch or t == rounds - 1:
            index = np.array([step[0] for step in steps])
            diagonals = np.array([step[1] for step in steps])
            residuals = np.stack([step[2] for step in steps], axis=1)
            plain[index] = ssor_cg_counts(waves, diagonals, residuals, None, eps=1e-8)
            each = np.repeat(np.arange(len(steps)), arms)
            omega = np.tile(grid, len(steps))
            counts = ssor_cg_counts(waves, diagonals[each], residuals[:, each], omega, eps=1e-8)
            costs[index] = counts.reshape(len(steps), arms)
            steps.clear()
            progress((t + 1) / rounds)
    return PriceTable(grid, contexts, (0.0, 10.0), costs, {"plain CG": plain})


def _kappa(time: float) -> float:
    """Return the diffusion coefficient. The paper's text has .01, the paper's code .1; the code made the figures."""
    wave = math.sin(2.0 * math.pi * time)
    return max(0.1 * wave, -10.0 * wave)


def _bump(x: np.ndarray, y: np.ndarray, centre: tuple[float, float], radius: float) -> np.ndarray:
    squared = ((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / radius**2
    inside = squared < 1.0
    return np.where(inside, np.exp(-1.0 / np.where(inside, 1.0 - squared, 1.0)), 0.0)


def _heat_steps(side: int, rounds: int) -> Iterator[tuple[float, float, np.ndarray]]:
    """Yield (kappa, diagonal, residual) of each implicit step, scaled to couplings of 1; residual (n,)."""
    width, dt = 1.0 / (side + 1), 5.0 / rounds
    points = np.arange(1, side + 1) * width
    x, y = np.meshgrid(points, points, indexing="ij")
    # The sine transform: orthogonal and symmetric.
    modes = np.sqrt(2.0 * width) * np.sin(math.pi * np.outer(np.arange(1, side + 1), points))
    ones = 4.0 * np.sin(0.5 * math.pi * points) ** 2
    eigenvalues = ones[:, None] + ones[None, :]  # of the unscaled Laplacian 4 - N

    def force(time: float) -> np.ndarray:
        angle = 16.0 * math.pi * time
        return 32.0 * _bump(x, y, (0.5 + 0.25 * math.cos(angle), 0.5 + 0.25 * math.sin(angle)), 0.125)

    field = _bump(x, y, (0.5, 0.5), 0.25)
    for step in range(rounds):
        before, after = step * dt, (step + 1) * dt
        here, coming = 0.5 * dt * _kappa(before) / width**2, 0.5 * dt * _kappa(after) / width**2
        coming = max(coming, 1e-30)  # kappa may vanish, and the scaling divides by kappa
        spectrum = modes @ field @ modes
        forced = modes @ (0.5 * dt * (force(before) + force(after))) @ modes
        right = (1.0 - here * eigenvalues) * spectrum + forced
        residual = right - (1.0 + coming * eigenvalues) * spectrum  # warm start: x0 is the field of the step before
        field = modes @ (right / (1.0 + coming * eigenvalues)) @ modes
        packed = (modes @ residual @ modes).ravel()
        yield _kappa(after), (1.0 + 4.0 * coming) / coming, packed
