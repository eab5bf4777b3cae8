"""The size in pixels that the model works at: the settings' size, or for `auto` one of the canvas's shape."""

import math
from typing import Literal

Size = tuple[int, int]
"""Width and height, pixels."""

AREA = 512 * 512
"""Pixels that `auto` aims at where width and height are both free: what Stable Diffusion was trained at."""

LARGEST = 2048
"""Longest side that `auto` chooses, pixels."""


def choose_size(width: int | Literal["auto"], height: int | Literal["auto"], canvas: Size, step: int) -> Size:
    """Return the (width, height) to work at; `auto` sides are multiples of `step` and follow the canvas's shape."""
    ratio = canvas[0] / canvas[1]
    if width != "auto" and height != "auto":
        return width, height
    if height != "auto":
        return _multiple(height * ratio, step), height
    if width != "auto":
        return width, _multiple(width / ratio, step)
    heights = range(step, LARGEST + 1, step)
    sizes = [(_multiple(height * ratio, step), height) for height in heights]
    return min(sizes, key=lambda size: _misfit(size, ratio))


def _multiple(side: float, step: int) -> int:
    """Return the multiple of `step` nearest to `side` pixels."""
    return min(max(step, round(side / step) * step), LARGEST // step * step)


def _misfit(size: Size, ratio: float) -> float:
    """Return how far `size` is from the wanted shape and area; a wrong shape counts twice as much as a wrong area."""
    width, height = size
    return abs(math.log(width / height / ratio)) + 0.5 * abs(math.log(width * height / AREA))
