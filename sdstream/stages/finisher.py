"""From what an engine gives to what leaves its process: steadied, scaled to the canvas, with its frame's times."""

import math
from collections import deque
from dataclasses import dataclass, replace
from typing import Protocol, Self

import cv2
import numpy as np

from sdstream.controls import TIMESTEPS, Controls
from sdstream.engine import Engine, Outcome
from sdstream.frame import Frame, Pixels


class Steady(Protocol):
    """Holds the picture steady along the camera's motion (see `stabilise.stabiliser`)."""

    def __enter__(self) -> Self:
        """Begin."""
        ...

    def __exit__(self, *exc: object) -> None:
        """Keep what was learned; closing twice is harmless."""
        ...

    def __call__(self, camera: Pixels, styled: Pixels, *, steadiness: float, cut: bool, late: bool) -> Pixels:
        """Return `styled` steadied; `camera` is the picture that it was made of, of the same size."""
        ...

    @property
    def flicker(self) -> float:
        """E_warp of the last call in grey levels; NaN when it had nothing to compare with."""
        ...


@dataclass(frozen=True, slots=True)
class _Entered:
    """A frame that went into the engine: everything but its pixels, which are the mailbox's and change."""

    label: Frame
    controls: Controls
    camera: Pixels | None
    """The camera picture at the engine's size; None while nobody needs it."""


class Finisher:
    """Asks the engine, and finishes what it gives."""

    def __init__(self, engine: Engine, steady: Steady, size: tuple[int, int]) -> None:
        """`size` is the canvas's (width, height)."""
        self._engine, self._steady, self._size = engine, steady, size
        self._entered: deque[_Entered] = deque(maxlen=TIMESTEPS + 1)
        self._nothing = np.empty((0, 0, 3), np.uint8)
        self._styled_size = (0, 0)
        self._shown: Controls | None = None
        self._last: Pixels | None = None
        self.flicker = math.nan
        """E_warp of the last picture in grey levels; NaN while it is not steadied."""

    def restyle(self, frame: Frame, controls: Controls, *, late: bool) -> Frame | None:
        """Return the picture that is due now; a still one again, if the engine skipped it.

        `late`: frames were dropped since the last call, so this is no time for experiments.
        """
        label = replace(frame, pixels=self._nothing)
        self._entered.append(_Entered(label, controls, self._camera(frame.pixels, controls)))
        pixels = self._engine(frame.pixels, controls)
        if pixels is not None:
            entered = self._entered[-1 - self._engine.last_age]
            self._last = _scaled(self._steadied(pixels, entered, late), self._size)
            return replace(entered.label, pixels=self._last)
        if self._engine.last_outcome is Outcome.SKIPPED and self._last is not None:
            return replace(frame, pixels=self._last)
        return None

    def _camera(self, pixels: Pixels, controls: Controls) -> Pixels | None:
        """Return the camera picture at the engine's size, once that is known, if it is to be steadied."""
        if not controls.firmness or self._styled_size == (0, 0):
            return None
        scaled = _scaled(pixels, self._styled_size)
        return scaled.copy() if scaled is pixels else scaled

    def _steadied(self, pixels: Pixels, entered: _Entered, late: bool) -> Pixels:
        self._styled_size = (pixels.shape[1], pixels.shape[0])
        before, self._shown = self._shown, entered.controls
        if entered.camera is None or entered.camera.shape != pixels.shape:
            self.flicker = math.nan
            return pixels
        cut = before is None or (_look(before) != _look(entered.controls) and not entered.controls.transition)
        steady = self._steady(entered.camera, pixels, steadiness=entered.controls.firmness, cut=cut, late=late)
        self.flicker = self._steady.flicker
        return steady


def _look(controls: Controls) -> Controls:
    """Return what decides how a picture looks: a change of it is a new picture, and not flicker."""
    return controls.model_copy(update={"steadiness": 0.0, "similarity": Controls().similarity})


def _scaled(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    """Return `pixels` at `size` (width, height): themselves, when they have it."""
    if (pixels.shape[1], pixels.shape[0]) == size:
        return pixels
    way = cv2.INTER_AREA if pixels.shape[1] > size[0] else cv2.INTER_LINEAR
    scaled: Pixels = cv2.resize(pixels, size, interpolation=way)
    return scaled
