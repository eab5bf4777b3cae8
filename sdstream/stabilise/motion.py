"""Motion between two camera pictures, and how far it can be trusted.

Flow is a library's (DIS): a variational flow on our own solver ties it at best for small motion and loses at
equal time.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from sdstream.frame import Pixels

_SIGMA = 0.05 * 255.0
"""Photometric error in grey levels at which trust has fallen to 1/e."""


@dataclass(frozen=True)
class Motion:
    """Where each point of the new picture was in the old one."""

    place: np.ndarray
    """(h, w, 2) float32: x and y in the old picture, pixels."""
    trust: np.ndarray
    """(h, w) float32 in 0..1: photometric agreement; 0 where the point was outside."""


class MotionFinder:
    """Finds the motion since the last picture it was shown. Holds buffers for one picture size."""

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
        """Return the motion from `camera` (h, w, 3) back to the one before it; None if there was none."""
        small = cv2.resize(camera, self._small, interpolation=cv2.INTER_AREA) if self._shrunk else camera.copy()
        grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
        old, self._old = self._old, (small, grey)
        if old is None:
            return None
        place = self._flow.calc(grey, old[1], None)
        place += self._grid
        trust = agreement(small, old[0], place)
        if not self._shrunk:
            return Motion(place, trust)
        ratio = np.array(self._size, np.float32) / np.array(self._small, np.float32)
        place = cv2.resize((place + 0.5) * ratio - 0.5, self._size, interpolation=cv2.INTER_LINEAR)
        return Motion(place, cv2.resize(trust, self._size, interpolation=cv2.INTER_LINEAR))


def dense_flow(preset: int) -> cv2.DenseOpticalFlow:
    """Return OpenCV's dense inverse search; its typed stubs do not know the factory."""
    return cv2.DISOpticalFlow.create(preset)


def grid(height: int, width: int) -> np.ndarray:
    """Return each point's own coordinates, (h, w, 2) float32, x first."""
    return np.ascontiguousarray(np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1), np.float32)


def warp(picture: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Return `picture` (h, w) or (h, w, c) looked up at `place`; outside it, the nearest border point."""
    moved: np.ndarray = cv2.remap(picture, place, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return moved


def agreement(new: Pixels, old: Pixels, place: np.ndarray) -> np.ndarray:
    """Return exp(-(blurred squared difference) / sigma^2), (h, w) float32; 0 where `place` is outside."""
    difference = cv2.absdiff(new, warp(old, place)).astype(np.float32)
    squares: np.ndarray = cv2.transform(difference * difference, np.full((1, 3), -1.0 / (3.0 * _SIGMA**2), np.float32))
    trust: np.ndarray = cv2.exp(cv2.GaussianBlur(squares, (0, 0), 1.0))
    height, width = trust.shape
    x, y = place[..., 0], place[..., 1]
    trust *= (x >= 0.0) & (x <= width - 1.0) & (y >= 0.0) & (y <= height - 1.0)
    return trust
