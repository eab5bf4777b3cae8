"""The prompt that is on air, as the engine's process tells it to the supervisor.

A change of prompt goes out with the frames that enter after it, and cues and fades change the prompt by themselves:
only the engine knows which prompt the newest picture has.
"""

import math
from collections import deque
from dataclasses import asdict, dataclass
from json import dumps, loads

from sdstream.controls import TIMESTEPS, Controls, readable
from sdstream.engine import Restyled
from sdstream.ipc.live_text import LiveText

ROOM = 8192
"""Bytes of the text in shared memory."""
LONGEST = 1000
"""Characters of a prompt that are told."""
_EVERY = 0.5
"""Seconds between two texts: a fade changes its share with every frame, and nobody reads so fast."""


@dataclass(frozen=True)
class OnAir:
    """The prompt of a picture."""

    prompt: str
    """In one line; while it fades in, the prompt that is to come."""
    fading: float | None
    """Share of the fade that is done, 0-1; None without one."""
    controls_version: int
    """Number of the controls that the picture's frame entered with."""


class OnAirText:
    """Writes what is on air when it has changed, at most twice a second."""

    def __init__(self, cell: LiveText) -> None:
        self._cell = cell
        self._versions: deque[tuple[Controls, int]] = deque(maxlen=TIMESTEPS + 1)  # of the frames in flight
        self._told: OnAir | None = None
        self._next = -math.inf

    def entered(self, controls: Controls, version: int) -> None:
        """Note the version of the controls that a frame enters the engine with."""
        if not self._versions or self._versions[-1][0] is not controls:
            self._versions.append((controls, version))

    def show(self, restyled: Restyled, now: float) -> None:
        """Tell of the newest picture, which is there since `now` (monotonic seconds); call this for each picture."""
        if now < self._next:
            return
        due = restyled.due
        share = None if due.fade is None else round(due.fade, 2)
        version = next((number for known, number in self._versions if known is restyled.controls), 0)
        text = OnAir(_shortened(readable(due.prompt)), share, version)
        if text != self._told:
            self._cell.set(dumps(asdict(text), ensure_ascii=False))
            self._told, self._next = text, now + _EVERY


def on_air(cell: LiveText) -> OnAir | None:
    """Return what `OnAirText` told last; None before the first picture."""
    text = cell.get()[1]
    return OnAir(**loads(text)) if text else None


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
