"""The stabiliser, after the decoder and before the sinks: camera and restyled picture in, steadied picture out."""

from pathlib import Path
from typing import Self

import numpy as np

from sdstream.config.stabilise import StabiliseSettings
from sdstream.frame import Pixels
from sdstream.stabilise.cuts import CutDetector
from sdstream.stabilise.fuser import Fuser, Steadied, sweeps_a_frame
from sdstream.stabilise.motion import MotionFinder
from sdstream.stabilise.planes import picture_of, planes_of
from sdstream.stabilise.tuning import OmegaTuner, state_file

_FRAMES_BETWEEN_SAVES = 1800


class Stabiliser:
    """Holds restyled pictures steady along the camera's motion. A context manager, for one sequence of pictures."""

    def __init__(self, settings: StabiliseSettings) -> None:
        self._settings = settings
        self._shape: tuple[int, ...] = ()
        self._tuner: OmegaTuner
        self._fuser: Fuser
        self._finder: MotionFinder
        self._cuts = CutDetector()
        self._held: np.ndarray | None = None  # the last output, (3, h, w); float32, because 8 bits would never settle
        self._frames = 0
        self.last = Steadied()
        """Figures of the latest call."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        """Save the learner's state; closing twice is harmless."""
        if self._shape:
            self._tuner.save(durable=True)
            self._shape, self._held = (), None

    def __call__(
        self, camera: Pixels, styled: Pixels, *, steadiness: float, cut: bool = False, late: bool = False
    ) -> Pixels:
        """Return `styled` steadied; `styled` was made from `camera`, both (h, w, 3) RGB.

        `steadiness` 0 returns `styled` itself and forgets the past. `cut` drops the old output (new prompt, new
        source); cuts in the camera's picture are found here. A `late` frame explores no omegas. Raises ValueError if
        the shapes differ or `steadiness` is outside 0..1.
        """
        if camera.shape != styled.shape or styled.ndim != 3 or styled.shape[2] != 3:
            raise ValueError(f"expected two pictures of equal shape (h, w, 3), got {camera.shape} and {styled.shape}")
        if not 0.0 <= steadiness <= 1.0:
            raise ValueError(f"expected a steadiness in 0..1, got {steadiness}")
        if steadiness == 0.0:
            self._held, self.last = None, Steadied()
            return styled
        if styled.shape != self._shape:
            self._build(styled.shape)
        if cut or self._held is None:
            self._finder.forget()
            self._cuts.forget()
        motion = self._finder(camera)
        if motion is None or self._held is None or self._cuts(motion):
            self._held, self.last = planes_of(styled), Steadied()
            return styled
        self._held, self.last = self._fuser(planes_of(styled), self._held, motion, steadiness, explore=not late)
        self._save_periodically()
        return picture_of(self._held)

    @property
    def flicker(self) -> float:
        """E_warp of the latest call in grey levels; NaN when nothing was fused."""
        return self.last.e_warp

    def _build(self, shape: tuple[int, ...]) -> None:
        """Make buffers for a picture size, and load the learner's state for this size."""
        if self._shape:
            self._tuner.save(durable=False)
        height, width = shape[:2]
        sweeps = sweeps_a_frame(self._settings, height, width)
        tuner = self._open_tuner(state_file(self._settings.state, "fusion", width, height, sweeps))
        self._fuser = Fuser(self._settings, height, width, tuner)
        self._finder = MotionFinder(height, width, self._settings.flow_size)
        self._tuner = tuner
        self._shape, self._held = shape, None

    def _open_tuner(self, path: Path | None) -> OmegaTuner:
        return OmegaTuner(self._settings.seed, path)

    def _save_periodically(self) -> None:
        self._frames += 1
        if self._frames % _FRAMES_BETWEEN_SAVES == 0:
            self._tuner.save(durable=False)
