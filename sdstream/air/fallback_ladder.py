"""What a sink shows now: live, else the last live picture held, else the camera untouched, else the slate.

A policy without a clock: time is an argument. A change of what is shown is cross-faded; holding is not a change.
"""

import enum
from dataclasses import dataclass

import cv2
import numpy as np

from sdstream.frame import Frame, Pixels

SLOW = 3.0
"""A live picture is held for this many of its usual intervals: an engine at 2 fps is slow, not dead."""
LONGEST_HOLD = 5.0
"""Seconds. However slow the engine is, a picture that is older than this is a frozen picture."""


class Rung(enum.Enum):
    """A rung of the ladder, best first."""

    LIVE = "live"
    HELD = "held"
    CAMERA = "camera"
    SLATE = "slate"


@dataclass(frozen=True, slots=True)
class Choice:
    """What to send for one tick."""

    frame: Frame
    rung: Rung
    fresh: bool
    """True when this picture has not been sent before."""


class Ladder:
    """Keeps the newest live and camera picture and picks between them."""

    def __init__(self, slate: Pixels, hold: float, fade: float) -> None:
        """`slate` has canvas size; `hold` and `fade` are seconds (see `config.schema.Air`)."""
        self._slate = Frame(slate, 0, 0.0, 0.0)
        self._hold = hold
        self._fade = fade
        self._live: Frame | None = None
        self._camera: Frame | None = None
        self._interval = 0.0
        self._shown: Rung | None = None
        self._since = -fade
        self._fading = False
        self._from = np.zeros_like(slate)
        self._blend = np.zeros_like(slate)

    @property
    def camera(self) -> Frame | None:
        """The newest camera picture; None before the first one."""
        return self._camera

    @property
    def showing(self) -> Rung:
        """The rung that was chosen last."""
        return self._shown or Rung.SLATE

    def pick(self, now: float, live: Frame | None, camera: Frame | None) -> Choice:
        """Choose for the tick at `now`; `live` and `camera` are what came since the last tick, or None.

        The frames' pixels may be views that stay valid until the next call. So are the returned ones.
        """
        if live is not None:
            self._learn_interval(live)
        self._live, self._camera = live or self._live, camera or self._camera
        rung, frame, fresh = self._best(now, live, camera)
        if self._shown is not None and _picture(rung) is not _picture(self._shown):
            self._since = now
            np.copyto(self._from, self._blend if self._fading else self._frame_of(self._shown).pixels)
        self._shown = rung
        return Choice(self._faded(now, frame), rung, fresh)

    def _best(self, now: float, live: Frame | None, camera: Frame | None) -> tuple[Rung, Frame, bool]:
        patience = min(LONGEST_HOLD, max(self._hold, SLOW * self._interval))
        if self._live is not None and now - self._live.posted <= patience:
            return (Rung.LIVE if live else Rung.HELD), self._live, live is not None
        if self._camera is not None and now - self._camera.posted <= self._hold:
            return Rung.CAMERA, self._camera, camera is not None
        return Rung.SLATE, self._slate, False

    def _learn_interval(self, live: Frame) -> None:
        """Follow the time between live pictures; a pause is not an interval."""
        if self._live is not None:
            step = live.posted - self._live.posted
            if step < LONGEST_HOLD:
                self._interval += 0.2 * (step - self._interval)

    def _frame_of(self, rung: Rung) -> Frame:
        frame = self._camera if rung is Rung.CAMERA else self._slate if rung is Rung.SLATE else self._live
        return frame or self._slate

    def _faded(self, now: float, frame: Frame) -> Frame:
        """Mix what was on air at the last change into `frame` while the fade lasts."""
        self._fading = now - self._since < self._fade
        if not self._fading:
            return frame
        share = (now - self._since) / self._fade
        cv2.addWeighted(self._from, 1.0 - share, frame.pixels, share, 0.0, dst=self._blend)
        return Frame(self._blend, frame.seq, frame.pts, frame.captured, frame.posted)


def _picture(rung: Rung) -> Rung:
    """Return the rung whose picture this is: a held picture is the live one."""
    return Rung.LIVE if rung is Rung.HELD else rung
