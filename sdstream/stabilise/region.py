"""Seamless regions: a restyled part of the picture without a visible rim, and with the restyled colours.

A screened membrane: the correction equals the difference of the styles at the rim, and fades inwards over some 14
pixels (at 256). An unscreened membrane would drag the live colours through the whole region.
"""

from typing import Self

import cv2
import numpy as np

from sdstream.config.stabilise import StabiliseSettings
from sdstream.frame import Pixels
from sdstream.stabilise.planes import picture_of, planes_of
from sdstream.stabilise.solver import open_solver
from sdstream.stabilise.tuning import OmegaTuner, state_file
from sdstream.stabilise.weights import REFERENCE_SIDE

SCREENING = 0.005
"""Pull of the correction towards zero inside the region, at 256 pixels."""

SWEEPS = 3
"""Factor on the fusion's number of sweeps: a region's slowest error is as wide as the region."""

_FIXED = 1e6
"""Screening of the points around the region: strong enough to keep the live picture."""


class RegionComposite:
    """Puts a restyled region into the live picture. A context manager, for one sequence of pictures."""

    def __init__(self, settings: StabiliseSettings) -> None:
        self._settings = settings
        self._shape: tuple[int, ...] = ()
        self._tuner: OmegaTuner
        self._correction: np.ndarray | None = None  # (3, h, w): first guess for the next frame

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        """Save the learner's state; closing twice is harmless."""
        if self._shape:
            self._tuner.save(durable=True)
            self._shape, self._correction = (), None

    def __call__(self, live: Pixels, styled: Pixels, region: np.ndarray, *, late: bool = False) -> Pixels:
        """Return `live` (h, w, 3) with `styled` inside `region`, (h, w) bool; outside the region `live` bit for bit.

        A `late` frame explores no omegas. Raises ValueError if the shapes differ.
        """
        if live.shape != styled.shape or region.shape != live.shape[:2] or region.dtype != np.bool_:
            raise ValueError(
                f"expected (h, w, 3) twice and (h, w) bool, got {live.shape}, {styled.shape}, {region.shape}"
            )
        if not region.any() or region.all():
            return styled if region.any() else live
        if live.shape != self._shape:
            self._build(live.shape)
        planes = planes_of(styled)
        outside = planes_of(live) - planes
        guess = np.zeros_like(outside) if self._correction is None else self._correction
        c = np.where(region, np.float32(self._screening), np.float32(_FIXED))
        b = np.where(region, np.float32(0.0), np.float32(_FIXED) * outside)
        self._solver.load(c, b, np.where(region, guess, outside))
        tuned = self._tuner.choose(self._screening + self._rim_screening(region), explore=not late)
        self._tuner.learn(tuned, self._solver.sweep(tuned.omega, self._sweeps))
        self._correction = self._solver.x()
        composed = picture_of(np.clip(planes + self._correction, 0.0, 255.0))
        return np.where(region[..., None], composed, live)

    def _rim_screening(self, region: np.ndarray) -> float:
        """Return the fixed rim's share of the least eigenvalue: pi^2 / (2 r^2) for a region of inradius r."""
        inradius = float(cv2.distanceTransform(region.astype(np.uint8), cv2.DIST_L2, 3).max())
        return float(np.pi**2 / (2.0 * max(inradius, 1.0) ** 2))

    def _build(self, shape: tuple[int, ...]) -> None:
        """Make buffers for a picture size, and load the learner's state for this size."""
        height, width = shape[:2]
        scale = 0.5 * (height + width) / REFERENCE_SIDE
        self._sweeps = max(round(SWEEPS * self._settings.sweeps * scale), 5)
        self._screening = SCREENING / scale**2
        self._solver = open_solver(self._settings.device, height, width, self._sweeps)
        path = state_file(self._settings.state, "region", width, height, self._sweeps)
        self._tuner = OmegaTuner(self._settings.seed, path)
        self._shape, self._correction = shape, None
