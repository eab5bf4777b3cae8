"""The prompt that is on air, as the engine's process tells it to the supervisor.

A change of prompt goes out with the frames that enter after it, and cues and fades change the prompt by themselves:
only the engine knows which prompt the newest picture has.
"""

import math
from dataclasses import asdict, dataclass
from json import dumps, loads

from sdstream.controls import Prompt, readable
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
        self._told: OnAir | None = None
        self._next = -math.inf

    def show(self, prompt: Prompt, fading: float | None, controls_version: int, now: float) -> None:
        """Tell of the newest picture, which is there since `now` (monotonic seconds); call it for each picture."""
        if now < self._next:
            return
        share = None if fading is None else round(fading, 2)
        text = OnAir(_shortened(readable(prompt)), share, controls_version)
        if text != self._told:
            self._cell.set(dumps(asdict(text), ensure_ascii=False))
            self._told, self._next = text, now + _EVERY


def on_air(cell: LiveText) -> OnAir | None:
    """Return what `OnAirText` told last; None before the first picture."""
    text = cell.get()[1]
    return OnAir(**loads(text)) if text else None


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
