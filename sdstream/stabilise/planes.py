"""Pictures in the solver's layout: a float32 plane for each channel."""

import cv2
import numpy as np

from sdstream.frame import Pixels


def planes_of(picture: Pixels) -> np.ndarray:
    """Return (h, w, 3) uint8 as (3, h, w) float32."""
    planes = np.empty((3, *picture.shape[:2]), np.float32)
    for k in range(3):
        planes[k] = cv2.extractChannel(picture, k)
    return planes


def picture_of(planes: np.ndarray) -> Pixels:
    """Return (3, h, w) float32 within 0..255 as (h, w, 3) uint8, rounded."""
    merged: Pixels = cv2.merge([(plane + 0.5).astype(np.uint8) for plane in planes])
    return merged
