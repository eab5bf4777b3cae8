"""Least squares with box constraints for a handful of unknowns, from sufficient statistics alone."""

import numpy as np

from sdstream.errors import Bug


def box_least_squares(gram: np.ndarray, moment: np.ndarray, limit: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Return argmin of t'Gt/2 - h't subject to |t_j| <= limit_j, by the active-set method.

    `gram` (m, m) positive semi-definite; `moment`, `limit` and `start` (m,); limit > 0; start inside the box. A start
    near the minimum (the last fit) costs a single small solve. A ridge of 1e-10 of the trace makes the minimum unique
    with fewer observations than unknowns: the solution of least norm.
    """
    m = len(moment)
    ridged = gram + np.eye(m) * max(1e-10 * float(np.trace(gram)), 1e-300)
    tolerance = 1e-9 * max(float(np.abs(moment).max()), 1e-300)
    theta, bound = start, np.abs(start) >= limit
    for _ in range(20 * m):
        theta, blocked = _descend(ridged, moment, limit, theta, bound)
        if blocked:
            continue
        if not bound.any():
            return theta
        pull = np.where(bound, np.sign(theta) * (ridged @ theta - moment), 0.0)  # > 0 for a minimum inside the box
        worst = int(np.argmax(pull))
        if pull[worst] <= tolerance:
            return theta
        bound[worst] = False
    raise Bug(f"box least squares found no minimum of {m} unknowns in {20 * m} steps")


def _descend(
    gram: np.ndarray, moment: np.ndarray, limit: np.ndarray, theta: np.ndarray, bound: np.ndarray
) -> tuple[np.ndarray, bool]:
    """Go to the minimum over the unbound unknowns, or to the first wall on the way, and then extend `bound`.

    Return the new `theta`, and whether a wall was met.
    """
    free = np.flatnonzero(~bound)
    if len(free) == 0:
        return theta, False
    target = theta.copy()
    rows = gram[free]
    held = np.where(bound, theta, 0.0)
    target[free] = np.linalg.solve(rows[:, free], moment[free] - rows @ held)
    outside = np.abs(target) > limit
    if not outside.any():
        return target, False
    step = target - theta
    wall = np.where(outside, np.copysign(limit, target), 0.0)
    share = np.where(outside, (wall - theta) / np.where(outside, step, 1.0), np.inf)
    first = int(np.argmin(share))
    theta = theta + max(min(float(share[first]), 1.0), 0.0) * step
    theta[first] = wall[first]
    bound[first] = True
    return np.clip(theta, -limit, limit), True
