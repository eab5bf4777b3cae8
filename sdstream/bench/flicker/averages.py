"""Common methods against flicker without a linear system: running means, plain or along the motion."""

import numpy as np

from sdstream.frame import Pixels
from sdstream.stabilise.motion import MotionFinder, warp


class PlainMean:
    """O_t = (1 - beta) P_t + beta O_{t-1}: steady, with a ghost behind everything that moves."""

    def __init__(self, beta: float) -> None:
        self._beta = beta
        self._held: np.ndarray | None = None

    def __call__(self, camera: Pixels, styled: Pixels) -> Pixels:  # noqa: ARG002 - all methods have these arguments
        """Return the mean so far."""
        new = styled.astype(np.float32)
        self._held = new if self._held is None else (1.0 - self._beta) * new + self._beta * self._held
        return (self._held + 0.5).astype(np.uint8)


class FlowMean:
    """O_t = (1 - beta m) P_t + beta m warp(O_{t-1}): no ghosts, but hard edges at the border of trust."""

    def __init__(self, beta: float, side: int) -> None:
        self._beta = beta
        self._finder = MotionFinder(side, side, side)
        self._held: np.ndarray | None = None

    def __call__(self, camera: Pixels, styled: Pixels) -> Pixels:
        """Return the mean along the motion."""
        motion, new = self._finder(camera), styled.astype(np.float32)
        if motion is not None and self._held is not None:
            share = self._beta * motion.trust[..., None]
            new = (1.0 - share) * new + share * warp(self._held, motion.position)
        self._held = new
        return (new + 0.5).astype(np.uint8)
