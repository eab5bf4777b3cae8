"""A moving scene with exactly known motion: an object before a ground, both textured, drifting, turning, zooming."""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from sdstream.frame import Pixels
from sdstream.stabilise.motion import grid


@dataclass(frozen=True)
class KnownMotion:
    """The position of each point in the frame before, and the visibility of the point there."""

    position: np.ndarray
    """(h, w, 2) float32, x and y in the frame before."""
    seen: np.ndarray
    """(h, w) bool."""


class Scene:
    """Frames 0, 1, ... of a square scene; frame t is a function of t and the seed alone."""

    def __init__(self, side: int = 256, seed: int = 0) -> None:
        self.side = side
        rng = np.random.default_rng(seed)
        self._ground, self._object = _texture(side, rng), _texture(side, rng)
        self._phase = rng.uniform(0.0, 2.0 * math.pi, 8)
        self._seed = seed
        self._points = grid(side, side).astype(np.float64)

    def frame(self, t: int) -> Pixels:
        """Return frame t, (side, side, 3): the light sways by 3 % and the camera has noise of 1 %."""
        ground = _look_up(self._ground, _moved(self._points, self._ground_pose(t)))
        front = _look_up(self._object, _moved(self._points, self._object_pose(t)))
        picture = np.where(self._mask(t)[..., None], front, ground) * (1.0 + 0.03 * math.sin(0.3 * t))
        noise = np.random.default_rng([self._seed, t]).standard_normal(picture.shape)
        return np.clip(picture + 2.55 * noise, 0.0, 255.0).astype(np.uint8)

    def motion(self, t: int) -> KnownMotion:
        """Return the motion from frame t back to frame t - 1."""
        mask, positions = self._mask(t), []
        for pose in (self._object_pose, self._ground_pose):
            positions.append(_moved(_moved(self._points, pose(t)), _inverse(pose(t - 1))))
        position = np.where(mask[..., None], positions[0], positions[1]).astype(np.float32)
        inside = ((position >= 0.0) & (position <= self.side - 1.0)).all(axis=-1)
        before = cv2.remap(self._mask(t - 1).astype(np.uint8), position, None, cv2.INTER_NEAREST)
        return KnownMotion(position, inside & (before.astype(bool) == mask))

    def _ground_pose(self, t: int) -> np.ndarray:
        p, n = self._phase, self.side
        shift = (0.12 * n * math.sin(0.06 * t + p[0]), 0.10 * n * math.sin(0.045 * t + p[1]))
        return _pose(n, 0.06 * math.sin(0.05 * t + p[2]), 1.0 + 0.06 * math.sin(0.04 * t + p[3]), shift)

    def _object_pose(self, t: int) -> np.ndarray:
        p, n = self._phase, self.side
        shift = (0.18 * n * math.sin(0.09 * t + p[4]), 0.15 * n * math.sin(0.075 * t + p[5]))
        return _pose(n, 0.25 * math.sin(0.07 * t + p[6]), 1.15 + 0.1 * math.sin(0.04 * t + p[7]), shift)

    def _mask(self, t: int) -> np.ndarray:
        at = (_moved(self._points, self._object_pose(t)) / self.side - 0.5) / (0.26, 0.33)
        return np.asarray((at * at).sum(axis=-1) < 1.0)


def _pose(side: int, angle: float, scale: float, shift: tuple[float, float]) -> np.ndarray:
    """Return the similarity about the centre, then the shift, as (2, 3): picture point -> texture point."""
    turn = scale * np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    centre = np.full(2, side / 2)
    return np.column_stack([turn, centre - turn @ centre + shift])


def _inverse(pose: np.ndarray) -> np.ndarray:
    back = np.linalg.inv(pose[:, :2])
    return np.column_stack([back, -back @ pose[:, 2]])


def _moved(points: np.ndarray, pose: np.ndarray) -> np.ndarray:
    return np.asarray(points @ pose[:, :2].T + pose[:, 2])


def _look_up(texture: np.ndarray, position: np.ndarray) -> np.ndarray:
    looked: np.ndarray = cv2.remap(
        texture, position.astype(np.float32), None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
    )
    return looked


def _texture(side: int, rng: np.random.Generator) -> np.ndarray:
    """Return coloured noise with detail at every scale, like a photograph's spectrum; (side, side, 3), grey levels."""
    picture = np.zeros((side, side, 3), np.float32)
    cells = 4
    while cells <= side // 2:
        octave = rng.standard_normal((cells, cells, 3)).astype(np.float32)
        octave = 0.7 * octave.mean(axis=-1, keepdims=True) + 0.5 * octave
        picture += cv2.resize(octave, (side, side), interpolation=cv2.INTER_CUBIC) * (40.0 / cells**0.6)
        cells *= 2
    return np.asarray(np.clip(picture * (45.0 / picture.std()) + 128.0, 5.0, 250.0))
