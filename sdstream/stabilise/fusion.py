"""Screened-Poisson fusion: the detail of the new picture, the steadiness of the warped old output, no ghosts or seams.

The unknown is the correction z = O - P: without trust the solution is exactly zero.
"""

from dataclasses import dataclass

import numpy as np

from sdstream.stabilise.weights import Weights


@dataclass(frozen=True)
class System:
    """(L + c) z = b with L the Laplacian of the picture's grid; c (h, w), b and the first guess (3, h, w), float32."""

    c: np.ndarray
    b: np.ndarray
    guess: np.ndarray


def fusion_system(difference: np.ndarray, trust: np.ndarray, weights: Weights) -> System:
    """Return the system for z, given `difference` = warped old output minus new picture, (3, h, w), and trust m (h, w).

    (L + lam m + pull) O = div((1-beta m) dP + beta m dQ) + lam m Q + pull P, with O = P + z and R = Q - P, becomes
    (L + lam m + pull) z = lam m R + L_m R. L_m is the Laplacian with edge weights beta min(m_i, m_j).
    """
    held, kept = weights.lam * trust, weights.beta * trust
    across = weights.beta * np.minimum(trust[:, 1:], trust[:, :-1])
    down = weights.beta * np.minimum(trust[1:], trust[:-1])
    b, guess = np.empty_like(difference), np.empty_like(difference)
    for r, right, first in zip(difference, b, guess, strict=True):  # plane by plane: each fits into the cache
        np.multiply(held, r, out=right)
        np.multiply(kept, r, out=first)
        flux = across * (r[:, 1:] - r[:, :-1])
        right[:, 1:] += flux
        right[:, :-1] -= flux
        flux = down * (r[1:] - r[:-1])
        right[1:] += flux
        right[:-1] -= flux
    return System(c=held + np.float32(weights.pull), b=b, guess=guess)
