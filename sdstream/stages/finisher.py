"""Finishes restyled frames for the sinks: region, steadiness, and the size of the canvas.

The finisher knows restyled frames in order, and no engine: the frames of several engines could be merged by `seq`
before the finisher.
"""

import math
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Self

from sdstream.config.engine import AnyEngine
from sdstream.config.schema import Canvas
from sdstream.config.stabilise import StabiliseSettings
from sdstream.controls import Controls, Similarity
from sdstream.engine import Outcome, Restyled
from sdstream.frame import Frame, Pixels
from sdstream.scaling import fit
from sdstream.stabilise.stabiliser import Stabiliser
from sdstream.stages.regions import Regions

_SIMILARITY = Similarity()


@dataclass(frozen=True, slots=True)
class Finished:
    """A frame of canvas size, ready for the sinks."""

    frame: Frame
    flicker: float = math.nan
    """E_warp of this picture in grey levels; NaN while the picture is not steadied."""


class Finisher:
    """Finishes the restyled frames of a run; a context manager."""

    def __init__(self, canvas: Canvas, engine: AnyEngine, stabilise: StabiliseSettings) -> None:
        """`engine` names the mask and the segmentation model. Raises Unavailable when either is broken."""
        self._size = (canvas.width, canvas.height)
        self._opened = ExitStack()
        self._regions = Regions(engine, stabilise)
        self._stabiliser = Stabiliser(stabilise)
        self._shown: Controls | None = None
        self._last: Finished | None = None

    def __enter__(self) -> Self:
        self._opened.enter_context(self._stabiliser)
        self._opened.enter_context(self._regions)
        return self

    def __exit__(self, *exc: object) -> None:
        """Save everything learned; closing twice is harmless."""
        self._opened.close()

    def finish(self, restyled: Restyled, *, late: bool) -> Finished:
        """Return the finished frame; a skipped frame shows the last finished picture again.

        `late`: frames were dropped since the last call, so there is no time for experiments.
        """
        if restyled.outcome is Outcome.SKIPPED and self._last is not None:
            return Finished(_frame(restyled, self._last.frame.pixels), self._last.flicker)
        composed = self._regions.apply(restyled.pixels, restyled.camera, restyled.controls.region, late=late)
        pixels, flicker = self._steadied(composed, restyled, late=late)
        self._last = Finished(_frame(restyled, fit(pixels, *self._size)), flicker)
        return self._last

    def _steadied(self, pixels: Pixels, restyled: Restyled, *, late: bool) -> tuple[Pixels, float]:
        before, self._shown = self._shown, restyled.controls
        firmness, transition = restyled.controls.firmness, restyled.controls.transition
        cut = before is None or (not transition and _is_new_look(before, restyled.controls))
        camera = restyled.camera if firmness > 0 else pixels  # without steadiness the engine keeps no camera picture
        steadied = self._stabiliser(camera, pixels, steadiness=firmness, cut=cut, late=late)
        return steadied, self._stabiliser.flicker


def _frame(label: Frame, pixels: Pixels) -> Frame:
    return Frame(pixels, label.seq, label.pts, label.captured, label.posted)


def _is_new_look(before: Controls, now: Controls) -> bool:
    """Return whether the look of the picture was changed by hand: a new look counts as a cut, not as flicker."""
    return before is not now and _look(before) != _look(now)


def _look(controls: Controls) -> Controls:
    """Return only the controls for the look of a picture: a new look counts as a cut, not as flicker."""
    return controls.model_copy(update={"air": "live", "steadiness": 0.0, "similarity": _SIMILARITY})
