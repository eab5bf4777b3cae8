"""A restyled frame with no engine behind it."""

import numpy as np

from sdstream.controls import Controls, Prompt
from sdstream.engine import DuePrompt, Restyled
from sdstream.frame import Frame

_PIXELS = np.zeros((4, 4, 3), np.uint8)


def restyled(prompt: Prompt, fade: float | None = None, controls: Controls | None = None) -> Restyled:
    """Return a frame that was finished with `prompt`."""
    given = Controls() if controls is None else controls
    return Restyled.of(Frame(_PIXELS, 1, 0.0, 0.0), _PIXELS, _PIXELS, given, DuePrompt(prompt, fade))
