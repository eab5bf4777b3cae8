"""The prompt on air, published by the engine's process for the supervisor.

A change of prompt shows in frames entering the engine after the change, and cues and fades change the prompt without a
request. So only the engine knows the prompt of the newest picture.
"""

import math
from collections import deque
from dataclasses import asdict, dataclass
from json import dumps, loads

from sdstream.controls import TIMESTEPS, Controls, readable
from sdstream.engine import Restyled
from sdstream.ipc.live_text import LiveText

CAPACITY = 8192
"""Bytes of the text in shared memory."""
MAX_PROMPT = 1000
"""Characters of a prompt in the text; the rest is cut off."""
_INTERVAL = 0.5
"""Seconds between two texts: a fade changes with every frame, faster than a person reads."""


@dataclass(frozen=True)
class OnAir:
    """The prompt of a picture."""

    prompt: str
    """On a single line; during a fade, the prompt to come."""
    fading: float | None
    """Progress of the fade, 0-1; None without a fade."""
    controls_version: int
    """Version of the controls when the picture's frame entered the engine."""
    preparing: str = ""
    """What the engine compiles before a changed control takes effect; empty when everything is ready."""
    cues_since: float | None = None
    """Monotonic seconds from which the cues count; None without cues."""


class OnAirText:
    """Writes the prompt on air after a change, at most twice a second."""

    def __init__(self, cell: LiveText) -> None:
        self._cell = cell
        self._versions: deque[tuple[Controls, int]] = deque(maxlen=TIMESTEPS + 1)  # of the frames in flight
        self._written: OnAir | None = None
        self._next = -math.inf

    def entered(self, controls: Controls, version: int) -> None:
        """Note the version of the controls for a frame entering the engine."""
        if self._versions and self._versions[-1][1] == version:
            return
        # The engine keeps the earlier object when nothing differs, as after a change there and back.
        same = self._versions.pop()[0] if self._versions and self._versions[-1][0] == controls else controls
        self._versions.append((same, version))

    def show(self, restyled: Restyled, now: float) -> None:
        """Write the prompt of the newest picture, finished at `now` (monotonic seconds); call this for each picture."""
        if now < self._next:
            return
        due = restyled.due
        share = None if due.fade is None else round(due.fade, 2)
        version = next((number for known, number in self._versions if known is restyled.controls), 0)
        prompt = _shortened(" ".join(readable(due.prompt).split()))
        text = OnAir(prompt, share, version, restyled.preparing, due.cues_since)
        if text != self._written:
            self._cell.set(dumps(asdict(text), ensure_ascii=False))
            self._written, self._next = text, now + _INTERVAL


def on_air(cell: LiveText) -> OnAir | None:
    """Return the last text of `OnAirText`; None before the first picture."""
    text = cell.get()[1]
    return OnAir(**loads(text)) if text else None


def _shortened(text: str) -> str:
    return text if len(text) <= MAX_PROMPT else f"{text[:MAX_PROMPT]}…"
