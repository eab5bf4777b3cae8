"""What the `steadiness` slider means: the weights of one fusion."""

from dataclasses import dataclass

REFERENCE_SIDE = 256
"""The picture side at which the weights below were chosen; other sizes scale them, to keep the look."""

_FULL = 0.8
"""Steadiness from which on the picture is held as firmly as the measured defaults do."""


@dataclass(frozen=True)
class Weights:
    """The weights of one fusion: (L + lam m + pull) O = div g + lam m Q + pull P, g = (1-beta m) dP + beta m dQ."""

    beta: float
    """Share of the previous output's gradients where motion is trusted, 0 to 0.95."""
    lam: float
    """Pull towards the previous output where motion is trusted."""
    pull: float
    """Pull towards the new picture everywhere: it bounds the cost, and lets a new style settle."""


def weights(steadiness: float, side: float) -> Weights:
    """Return the weights for a slider in (0, 1] and a picture whose mean side is `side` pixels.

    As the slider goes to 0 the pull towards the new picture outweighs the rest, so the fusion fades into a
    pass.
    """
    firmness = min(steadiness / _FULL, 1.0)
    scale = (REFERENCE_SIDE / side) ** 2
    return Weights(
        beta=min(steadiness, 0.95), lam=0.03 * firmness * scale, pull=(0.002 + 0.03 * (1.0 - firmness)) * scale
    )
