"""Motion between two camera pictures, and the trust in the motion.

The flow is OpenCV's DIS. A variational flow on our own solver was tried: at equal time the variational flow is at best
as good, for small motion, and else worse.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from sdstream.frame import Pixels

_SIGMA = 0.05 * 255.0
"""Photometric error in grey levels at which trust has fallen to 1/e."""


@dataclass(frozen=True)
class Motion:
    """The position of each point of the new picture in the old picture."""

    position: np.ndarray
    """(h, w, 2) float32: x and y in the old picture, pixels."""
    trust: np.ndarray
    """(h, w) float32 in 0..1: photometric agreement; 0 where the point was outside."""


class MotionFinder:
    """Finds the motion since the picture of the last call. Holds buffers for a fixed picture size."""

    def __init__(self, height: int, width: int, flow_size: int) -> None:
        shrink = min(1.0, flow_size / max(height, width))
        self._size = (width, height)
        self._small = (max(round(width * shrink), 16), max(round(height * shrink), 16))
        self._shrunk = self._small != self._size
        self._flow = dense_flow(cv2.DISOPTICAL_FLOW_PRESET_FAST)
        self._grid = grid(self._small[1], self._small[0])
        self._old: tuple[Pixels, np.ndarray] | None = None

    def forget(self) -> None:
        """Start afresh: the next picture has no predecessor."""
        self._old = None

    def __call__(self, camera: Pixels) -> Motion | None:
        """Return the motion from `camera` (h, w, 3) back to the picture before; None for the first picture."""
        small = cv2.resize(camera, self._small, interpolation=cv2.INTER_AREA) if self._shrunk else camera.copy()
        grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
        old, self._old = self._old, (small, grey)
        if old is None:
            return None
        position = self._flow.calc(grey, old[1], None)
        position += self._grid
        trust = agreement(small, old[0], position)
        if not self._shrunk:
            return Motion(position, trust)
        ratio = np.array(self._size, np.float32) / np.array(self._small, np.float32)
        position = cv2.resize((position + 0.5) * ratio - 0.5, self._size, interpolation=cv2.INTER_LINEAR)
        return Motion(position, cv2.resize(trust, self._size, interpolation=cv2.INTER_LINEAR))


def dense_flow(preset: int) -> cv2.DenseOpticalFlow:
    """Return OpenCV's dense inverse search; OpenCV's typed stubs lack `DISOpticalFlow_create`."""
    return cv2.DISOpticalFlow.create(preset)


def grid(height: int, width: int) -> np.ndarray:
    """Return each point's own coordinates, (h, w, 2) float32, x first."""
    return np.ascontiguousarray(np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1), np.float32)


def warp(picture: np.ndarray, position: np.ndarray) -> np.ndarray:
    """Return `picture` (h, w) or (h, w, c) looked up at `position`; outside the picture, the nearest border point."""
    moved: np.ndarray = cv2.remap(picture, position, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return moved


def agreement(new: Pixels, old: Pixels, position: np.ndarray) -> np.ndarray:
    """Return exp(-(blurred squared difference) / sigma^2), (h, w) float32; 0 where `position` is outside."""
    difference = cv2.absdiff(new, warp(old, position)).astype(np.float32)
    squares: np.ndarray = cv2.transform(difference * difference, np.full((1, 3), -1.0 / (3.0 * _SIGMA**2), np.float32))
    trust: np.ndarray = cv2.exp(cv2.GaussianBlur(squares, (0, 0), 1.0))
    height, width = trust.shape
    x, y = position[..., 0], position[..., 1]
    trust *= (x >= 0.0) & (x <= width - 1.0) & (y >= 0.0) & (y <= height - 1.0)
    return trust
