"""The visible part of a picture and the place on the canvas: pure arithmetic in even numbers of pixels."""

from dataclasses import dataclass
from fractions import Fraction

from sdstream.config.schema import Fit


@dataclass(frozen=True, slots=True)
class Rectangle:
    """A rectangle in pixels; (0, 0) is the top left corner."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Layout:
    """The way of a picture onto a canvas: crop to `crop`, scale to `scaled`, turn, put at `place`."""

    crop: Rectangle
    """In the picture as decoded, before any turn."""
    turns: int
    """Quarter turns clockwise after scaling, 0-3."""
    place: Rectangle
    """On the canvas, after the turn; the rest of the canvas is black."""

    @property
    def scaled(self) -> tuple[int, int]:
        """Width and height after scaling, before the turn."""
        size = (self.place.width, self.place.height)
        return size if self.turns % 2 == 0 else size[::-1]


def lay_out(
    size: tuple[int, int],
    canvas: tuple[int, int],
    fit: Fit = "cover",
    aspect: Fraction = Fraction(1),
    turns: int = 0,
) -> Layout:
    """Lay a picture of `size` (width, height in pixels) out on a `canvas` with even sides.

    `aspect` is the sample aspect ratio (width / height of a pixel of the decoded picture); `turns` are the
    quarter turns clockwise in the display matrix. `cover` crops around the middle, `contain` leaves
    bars, `fill` stretches. All numbers are even wherever the picture is at least two pixels wide or high.
    """
    turns %= 4
    width, height = size
    uncropped = Rectangle(0, 0, width, height)
    full_canvas = Rectangle(0, 0, *canvas)
    target = canvas if turns % 2 == 0 else canvas[::-1]
    wider = Fraction(width, height) * aspect / Fraction(*target)  # above 1: the picture is wider than the canvas
    if fit == "fill" or wider == 1:
        return Layout(uncropped, turns, full_canvas)
    if fit == "cover":
        shown = (_even(width / wider, width), height) if wider > 1 else (width, _even(height * wider, height))
        return Layout(_centred(shown, size), turns, full_canvas)
    inner = _inscribed(target, wider)
    return Layout(uncropped, turns, _centred(inner if turns % 2 == 0 else inner[::-1], canvas))


def _inscribed(size: tuple[int, int], wider: Fraction) -> tuple[int, int]:
    """Return the largest even size within `size` with an aspect ratio `wider` times the ratio of `size`."""
    if wider > 1:
        return size[0], _even(size[1] / wider, size[1])
    return _even(size[0] * wider, size[0]), size[1]


def _even(length: Fraction, limit: int) -> int:
    """Return the nearest even length in 2..limit (1 when the limit is 1)."""
    return min(limit, max(2, 2 * round(length / 2)))


def _centred(inner: tuple[int, int], outer: tuple[int, int]) -> Rectangle:
    """Centre at even coordinates, because chroma has a single sample for two pixels."""
    return Rectangle((outer[0] - inner[0]) // 4 * 2, (outer[1] - inner[1]) // 4 * 2, *inner)
