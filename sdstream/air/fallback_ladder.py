"""Chooses a sink's picture: live, else the last live picture held, else the camera untouched, else the slate.

The control `air` overrides the choice. A policy without a clock: time is an argument. A change of picture is
cross-faded, except into an override; holding a picture is no change.
"""

import enum
import math
from dataclasses import dataclass, replace

import cv2
import numpy as np

from sdstream.controls import AirOverride
from sdstream.frame import Frame, Pixels

SLOW = 3.0
"""Usual intervals of the engine for which a live picture is held: an engine at 2 fps is slow, not dead."""
LONGEST_HOLD = 5.0
"""Longest hold in seconds: a still older picture would look frozen, however slow the engine is."""


class Rung(enum.Enum):
    """The rungs of the ladder, best first; then the pictures of the overrides."""

    LIVE = "live"
    HELD = "held"
    CAMERA = "camera"
    SLATE = "slate"
    BYPASS = "bypass"
    FROZEN = "frozen"
    BLACK = "black"


@dataclass(frozen=True, slots=True)
class Choice:
    """The picture of a tick."""

    frame: Frame
    rung: Rung
    fresh: bool
    """True when this picture has not been sent before."""


class Ladder:
    """Keeps the newest live picture and the newest camera picture, and picks the best rung."""

    def __init__(self, slate: Pixels, hold: float, fade: float) -> None:
        """`slate` has canvas size; `hold` and `fade` are seconds (see `config.schema.Air`)."""
        self._slate = Frame(slate, 0, 0.0, 0.0)
        self._black = Frame(np.zeros_like(slate), 0, 0.0, 0.0)
        self._hold = hold
        self._fade = fade
        self._air: AirOverride = "live"
        self._live: Frame | None = None
        self._camera: Frame | None = None
        self._frozen: Frame = self._slate
        self._interval = 0.0
        self._shown: Rung | None = None
        self._since = -math.inf
        self._fading = False
        self._from = np.zeros_like(slate)
        self._blend = np.zeros_like(slate)

    @property
    def camera(self) -> Frame | None:
        """The newest camera picture; None before the first camera picture."""
        return self._camera

    @property
    def showing(self) -> Rung:
        """The rung of the last choice."""
        return self._shown or Rung.SLATE

    def pick(self, now: float, live: Frame | None, camera: Frame | None, air: AirOverride = "live") -> Choice:
        """Choose for the tick at `now`; `live` and `camera` are the new pictures since the last tick, or None.

        `air` takes effect with this very picture. The pixels given and returned may be views, valid until the next
        call.
        """
        if live is not None:
            self._learn_interval(live)
        self._live, self._camera = live or self._live, camera or self._camera
        if air == "freeze":
            if self._air != "freeze":
                self._frozen = self._still(now, live, camera)
            choice = Choice(self._frozen, Rung.FROZEN, fresh=False)
        else:
            choice = self._best(now, live, camera, air)
        before, self._air = self._air, air
        return self._show(now, choice, cut=air not in ("live", before))

    def _still(self, now: float, live: Frame | None, camera: Frame | None) -> Frame:
        """Return a copy of the picture due now without the freeze; the slate before the first picture.

        The picture of the last tick may be overwritten already, because the mailbox has given a newer picture since.
        """
        if self._shown is None:
            return self._slate
        frame = self._show(now, self._best(now, live, camera, self._air), cut=False).frame
        return replace(frame, pixels=frame.pixels.copy())

    def _show(self, now: float, choice: Choice, *, cut: bool) -> Choice:
        """Note the choice, and return the choice with the fade in progress."""
        if cut:
            self._since = -math.inf
        elif self._shown is not None and _picture(choice.rung) is not _picture(self._shown):
            self._since = now
            np.copyto(self._from, self._blend if self._fading else self._frame_of(self._shown).pixels)
        self._shown = choice.rung
        return replace(choice, frame=self._faded(now, choice.frame))

    def _best(self, now: float, live: Frame | None, camera: Frame | None, air: AirOverride) -> Choice:
        if air == "black":
            return Choice(self._black, Rung.BLACK, fresh=False)
        hold = min(LONGEST_HOLD, max(self._hold, SLOW * self._interval))
        if air == "live" and self._live is not None and now - self._live.posted <= hold:
            return Choice(self._live, Rung.LIVE if live else Rung.HELD, fresh=live is not None)
        if self._camera is not None and now - self._camera.posted <= self._hold:
            rung = Rung.BYPASS if air == "bypass" else Rung.CAMERA
            return Choice(self._camera, rung, fresh=camera is not None)
        return Choice(self._slate, Rung.SLATE, fresh=False)

    def _learn_interval(self, live: Frame) -> None:
        """Follow the time between live pictures; a pause is not an interval."""
        if self._live is not None:
            step = live.posted - self._live.posted
            if step < LONGEST_HOLD:
                self._interval += 0.2 * (step - self._interval)

    def _frame_of(self, rung: Rung) -> Frame:
        frames = {Rung.CAMERA: self._camera, Rung.LIVE: self._live, Rung.FROZEN: self._frozen, Rung.BLACK: self._black}
        return frames.get(_picture(rung)) or self._slate

    def _faded(self, now: float, frame: Frame) -> Frame:
        """Mix the picture from before the last change into `frame` during the fade."""
        self._fading = now - self._since < self._fade
        if not self._fading:
            return frame
        share = (now - self._since) / self._fade
        cv2.addWeighted(self._from, 1.0 - share, frame.pixels, share, 0.0, dst=self._blend)
        return Frame(self._blend, frame.seq, frame.pts, frame.captured, frame.posted)


def _picture(rung: Rung) -> Rung:
    """Return the rung with the same picture: live for a held picture, camera for a bypass."""
    return {Rung.HELD: Rung.LIVE, Rung.BYPASS: Rung.CAMERA}.get(rung, rung)
