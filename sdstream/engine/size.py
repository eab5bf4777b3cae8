"""The model's picture size in pixels: the settings' size, or for `auto` a size with the canvas's aspect ratio."""

import math
from typing import Literal

from sdstream.config.engine import LONGEST_SIDE

Size = tuple[int, int]
"""Width and height, pixels."""

AREA = 512 * 512
"""Target of `auto` with both sides free, in pixels, as in the training of Stable Diffusion."""


def choose_size(width: int | Literal["auto"], height: int | Literal["auto"], canvas: Size, step: int) -> Size:
    """Return the model's (width, height); `auto` sides are multiples of `step` and follow the canvas's aspect ratio."""
    ratio = canvas[0] / canvas[1]
    if width != "auto" and height != "auto":
        return width, height
    if height != "auto":
        return _multiple(height * ratio, step), height
    if width != "auto":
        return width, _multiple(width / ratio, step)
    heights = range(step, LONGEST_SIDE + 1, step)
    sizes = [(_multiple(height * ratio, step), height) for height in heights]
    return min(sizes, key=lambda size: _misfit(size, ratio))


def _multiple(side: float, step: int) -> int:
    """Return the multiple of `step` nearest to `side` pixels."""
    return min(max(step, round(side / step) * step), LONGEST_SIDE // step * step)


def _misfit(size: Size, ratio: float) -> float:
    """Return the distance of `size` from `ratio` and AREA; the aspect ratio counts twice as much as the area."""
    width, height = size
    return abs(math.log(width / height / ratio)) + 0.5 * abs(math.log(width * height / AREA))
