"""A style without a model: flickers like a model's restyled pictures, and the steady version is known."""

import cv2
import numpy as np

from sdstream.frame import Pixels

COLOUR_FLICKER = 0.08
TEXTURE_FLICKER = 0.05 * 255.0


class StandInStyle:
    """Posterised colours under a colour field (8 %) and brush texture (5 %) drawn afresh for every frame."""

    def __init__(self, seed: int = 0) -> None:
        self._rng = np.random.default_rng(seed)

    def __call__(self, camera: Pixels) -> tuple[Pixels, Pixels]:
        """Return the restyled picture with and without flicker, both (h, w, 3) like `camera`."""
        height, width = camera.shape[:2]
        smooth = cv2.GaussianBlur(camera, (0, 0), 1.5).astype(np.float32) / 255.0
        bent = smooth * smooth * (3.0 - 2.0 * smooth)
        levels = 5.0 * bent
        steps = np.floor(levels) + 1.0 / (1.0 + np.exp(-12.0 * (levels - np.floor(levels) - 0.5)))
        clean = 255.0 * steps / 5.0 @ np.array([[0.9, 0.1, 0.0], [0.15, 0.75, 0.2], [0.0, 0.15, 0.8]], np.float32)
        field = self._field(4, height, width) * COLOUR_FLICKER
        texture = self._field(max(height, width) // 6, height, width)[..., :1] * TEXTURE_FLICKER
        flickering = clean * (1.0 + field) + texture
        return np.clip(flickering, 0, 255).astype(np.uint8), np.clip(clean, 0, 255).astype(np.uint8)

    def _field(self, cells: int, height: int, width: int) -> np.ndarray:
        """Return smooth noise of unit variance with `cells` cells a side, (h, w, 3)."""
        coarse = self._rng.standard_normal((cells, cells, 3)).astype(np.float32)
        field = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
        return np.asarray(field / field.std())
