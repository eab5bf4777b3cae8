"""The weights of a fusion for a position of the `steadiness` slider."""

from dataclasses import dataclass

REFERENCE_SIDE = 256
"""Picture side in pixels at which the weights below were chosen; for further sizes the weights are scaled."""

_FULL = 0.8
"""Steadiness above which the pull is as firm as in the measured defaults."""


@dataclass(frozen=True)
class Weights:
    """The weights of a fusion: (L + lam m + pull) O = div g + lam m Q + pull P, g = (1-beta m) dP + beta m dQ."""

    beta: float
    """Share of the previous output's gradients where motion is trusted, 0 to 0.95."""
    lam: float
    """Pull towards the previous output where motion is trusted."""
    pull: float
    """Pull towards the new picture everywhere: bounds the cost, and lets a new style settle."""


def weights(steadiness: float, side: float) -> Weights:
    """Return the weights for a `steadiness` in (0, 1] and a picture with a mean side of `side` pixels.

    Near steadiness 0 the pull towards the new picture outweighs the rest: the fusion returns the new picture.
    """
    firmness = min(steadiness / _FULL, 1.0)
    scale = (REFERENCE_SIDE / side) ** 2
    return Weights(
        beta=min(steadiness, 0.95), lam=0.03 * firmness * scale, pull=(0.002 + 0.03 * (1.0 - firmness)) * scale
    )
