"""The similarity filter: whether a picture is so like the last rendered one that the engine may rest (paper 3.4)."""

import math
import random
from typing import cast

import numpy as np
import numpy.typing as npt

from sdstream.controls import Similarity
from sdstream.frame import Pixels

REDUCED = 64
"""Pixels along each side that the pictures are compared at: averaging takes the sensor's noise out."""


def reduce(pixels: Pixels) -> npt.NDArray[np.float32]:
    """Shrink a picture by area averaging to what is compared.  (REDUCED, REDUCED, 3), float32, -1..1."""
    import cv2

    small = cv2.resize(pixels, (REDUCED, REDUCED), interpolation=cv2.INTER_AREA)
    return cast(npt.NDArray[np.float32], small.astype(np.float32) / np.float32(127.5) - np.float32(1))


def similarity(a: npt.NDArray[np.float32], b: npt.NDArray[np.float32]) -> float:
    """Return the paper's S (equation 8), 0..1, of two reduced pictures.

    It is the cosine of each picture together with its negative, that is of (v, 1) pixel by pixel: on v alone
    the same noise weighs twenty times more on a grey wall than on a dark one, and at mid-grey it is 0/0.
    """
    x, y = a.ravel(), b.ravel()
    dot, xx, yy = float(x @ y) + x.size, float(x @ x) + x.size, float(y @ y) + y.size
    return max(0.0, min(1.0, dot / math.sqrt(xx * yy)))


def skip_probability(s: float, threshold: float) -> float:
    """Return P(skip) = max(0, (S - η) / (1 - η)) (equation 9)."""
    return max(0.0, (s - threshold) / (1.0 - threshold))


class SimilarityFilter:
    """Remembers the last rendered picture and decides; `dice` makes the decision repeatable."""

    CUT = 0.8
    """Similarity below which two pictures are taken for different scenes."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        self._rendered: npt.NDArray[np.float32] | None = None
        self._skips = 0
        self.cut = False
        """Whether the last picture began a new scene."""

    def skips(self, pixels: Pixels, settings: Similarity, *, fresh: bool = False) -> bool:
        """Decide on the next picture: True leaves it out, at most `max_skips` times in a row.

        `fresh` renders it however still it is: the prompt, or something else, has changed.
        """
        picture = reduce(pixels)
        s = 0.0 if self._rendered is None else similarity(picture, self._rendered)
        allowed = not fresh and self._rendered is not None and self._skips < settings.max_skips
        if allowed and self._alike(s, settings):
            self._skips += 1
            self.cut = False
            return True
        self.cut = self._rendered is not None and s < self.CUT
        self._skips = 0
        self._rendered = picture
        return False

    def reset(self) -> None:
        """Forget the last rendered picture, so that the next one is rendered."""
        self._rendered = None
        self._skips = 0

    def _alike(self, s: float, settings: Similarity) -> bool:
        if settings.mode == "off":
            return False
        if settings.mode == "threshold":
            return s >= settings.threshold
        return skip_probability(s, settings.threshold) > self._dice.random()
