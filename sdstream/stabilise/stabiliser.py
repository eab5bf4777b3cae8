"""The stabiliser: after the decoder, before the sinks. Camera picture and restyled picture in, steadied picture out."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import cv2
import numpy as np

from sdstream.config.stabilise import StabiliseSettings
from sdstream.frame import Pixels
from sdstream.stabilise.fusion import fusion_system
from sdstream.stabilise.motion import Motion, MotionFinder, warp
from sdstream.stabilise.solver import open_solver
from sdstream.stabilise.tuning import OmegaTuner
from sdstream.stabilise.weights import REFERENCE_SIDE, weights

CUT_TRUST = 0.25
"""Mean trust under which two camera pictures are taken for two shots: nothing of the old one is kept."""

CUT_DROP = 0.3
"""So is a fall of mean trust by this much at once: two shots of one room agree on the walls. (Over eight clips, cuts
fell by 0.33 to 0.9, and the wildest motion by 0.21.)"""

_SEEN = 0.5
"""Trust from which on a point counts as seen in both pictures, for E_warp."""

_FRAMES_BETWEEN_SAVES = 1800


@dataclass(frozen=True)
class Steadied:
    """What one call did, for metrics. The numbers are NaN when nothing was fused."""

    fused: bool = False
    """False: first picture, cut, or steadiness 0; the picture went through untouched."""
    e_warp: float = math.nan
    """Flicker left: RMS in grey levels of O_t - warp(O_{t-1}) over points seen in both (every other row and column)."""
    omega: float = math.nan
    """The relaxation parameter played."""
    cost: float = math.nan
    """Extrapolated sweeps to half a grey level; above the sweeps done, the solve stopped short of that."""


class Stabiliser:
    """Holds a restyled picture steady along the camera's motion. One per picture stream; a context manager.

    `omega` fixes the relaxation parameter instead of learning it: for comparisons.
    """

    def __init__(self, settings: StabiliseSettings, *, omega: float | None = None) -> None:
        self._settings, self._omega = settings, omega
        self._shape: tuple[int, ...] = ()
        self._tuner: OmegaTuner
        self._held: np.ndarray | None = None  # the last output, (3, h, w) float32: 8 bits would never settle
        self._frames = 0
        self._usual_trust = 0.0  # 0: not known yet
        self.last = Steadied()
        """What the latest call did."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        """Keep what was learned; closing twice is harmless."""
        if self._shape:
            self._tuner.save(durable=True)
            self._shape, self._held = (), None

    def __call__(
        self, camera: Pixels, styled: Pixels, *, steadiness: float, cut: bool = False, late: bool = False
    ) -> Pixels:
        """Return `styled` steadied; `camera` is the picture it was made of, both (h, w, 3) RGB.

        `steadiness` 0 returns `styled` itself and forgets the past. `cut` says that the old output is of no
        use (a new prompt, a new source); cuts in the camera's picture are noticed here. `late` frames explore
        no omegas. Raises ValueError if the shapes differ or steadiness is outside 0..1.
        """
        if camera.shape != styled.shape or styled.ndim != 3 or styled.shape[2] != 3:
            raise ValueError(f"expected two pictures of one shape (h, w, 3), got {camera.shape} and {styled.shape}")
        if not 0.0 <= steadiness <= 1.0:
            raise ValueError(f"steadiness lies in 0..1, got {steadiness}")
        if steadiness == 0.0:
            self._held, self.last = None, Steadied()
            return styled
        if styled.shape != self._shape:
            self._build(styled.shape)
        if cut or self._held is None:
            self._finder.forget()
            self._usual_trust = 0.0
        motion = self._finder(camera)
        if motion is None or self._held is None or self._is_cut(motion):
            self._held, self.last = planes_of(styled), Steadied()
            return styled
        return self._fuse(styled, motion, self._held, steadiness, explore=not late)

    @property
    def flicker(self) -> float:
        """E_warp of the latest call in grey levels; NaN when nothing was fused."""
        return self.last.e_warp

    def solve_error(self) -> float:
        """Return the RMS in grey levels between the last fusion's correction and its exact solution. For benchmarks."""
        short = self._solver.x()
        self._solver.sweep(self.last.omega, 16)
        self._solver.sweep(1.9, 200)
        return math.sqrt(float(np.mean((self._solver.x() - short) ** 2)))

    def _is_cut(self, motion: Motion) -> bool:
        """Say whether the camera's picture changed its shot, and keep a running mean of the trust within one."""
        trust, usual = float(motion.trust.mean()), self._usual_trust
        if trust < max(CUT_TRUST, usual - CUT_DROP):
            self._usual_trust = 0.0
            return True
        self._usual_trust = trust if usual == 0.0 else 0.8 * usual + 0.2 * trust
        return False

    def _build(self, shape: tuple[int, ...]) -> None:
        """Make buffers for a picture size, and fetch what was learned for it."""
        if self._shape:
            self._tuner.save(durable=False)
        height, width = shape[:2]
        settings = self._settings
        self._side = 0.5 * (height + width)
        self._sweeps = max(round(settings.sweeps * self._side / REFERENCE_SIDE), 5)
        self._finder = MotionFinder(height, width, settings.flow_size)
        self._solver = open_solver(settings.device, height, width, self._sweeps)
        self._tuner = OmegaTuner(settings.seed, state_file(settings.state, "fusion", width, height, self._sweeps))
        self._shape, self._held = shape, None

    def _fuse(self, styled: Pixels, motion: Motion, held: np.ndarray, steadiness: float, *, explore: bool) -> Pixels:
        planes = planes_of(styled)
        warped = np.stack([warp(plane, motion.place) for plane in held])
        system = fusion_system(warped - planes, motion.trust, weights(steadiness, self._side))
        self._solver.load(system.c, system.b, system.guess)
        tuned = self._tuner.choose(float(system.c.mean()), explore=explore)
        omega = self._omega or tuned.omega
        sweeps = self._solver.sweep(omega, self._sweeps)
        cost = math.nan if self._omega else self._tuner.learn(tuned, sweeps)
        planes += self._solver.x()
        np.clip(planes, 0.0, 255.0, out=planes)
        self._held = planes
        self._frames += 1
        if self._frames % _FRAMES_BETWEEN_SAVES == 0:
            self._tuner.save(durable=False)
        self.last = Steadied(True, e_warp(planes, warped, motion.trust > _SEEN), omega, cost)
        return picture_of(planes)


def e_warp(new: np.ndarray, warped: np.ndarray, seen: np.ndarray) -> float:
    """Return the RMS of new - warped, (3, h, w), over points `seen` (h, w), every other one each way; NaN for none."""
    difference = new[:, ::2, ::2] - warped[:, ::2, ::2]
    points = seen[::2, ::2]
    count = 3 * int(np.count_nonzero(points))
    return math.sqrt(float(np.sum(difference * difference, where=points)) / count) if count else math.nan


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


def state_file(folder: Path | None, system: str, width: int, height: int, sweeps: int) -> Path | None:
    """Return where a learner of this system is kept: what it learned is true for this size and budget only."""
    return None if folder is None else folder / f"{system}-{width}x{height}-{sweeps}.json"
