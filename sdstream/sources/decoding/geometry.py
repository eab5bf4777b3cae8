"""Which part of a picture is shown, and where on the canvas: pure arithmetic in whole, even pixels."""

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
    """How a picture comes onto a canvas: cut out `crop`, scale it, turn it, put it at `place`."""

    crop: Rectangle
    """In the picture as decoded, before any turn."""
    turns: int
    """Quarter turns clockwise after scaling, 0-3."""
    place: Rectangle
    """On the canvas, as seen; what it does not cover is black."""

    @property
    def scaled(self) -> tuple[int, int]:
        """Width and height that the crop is scaled to, before the turn."""
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

    `aspect` is the sample aspect ratio (width / height of one pixel of the picture as decoded); `turns` are the
    quarter turns clockwise that its display matrix asks for. `cover` crops around the middle, `contain` leaves
    bars, `fill` stretches. All numbers are even wherever the picture is at least two pixels wide or high.
    """
    turns %= 4
    width, height = size
    whole = Rectangle(0, 0, width, height)
    everywhere = Rectangle(0, 0, *canvas)
    target = canvas if turns % 2 == 0 else canvas[::-1]
    # how much wider, as shown, the picture is than the canvas
    wider = Fraction(width, height) * aspect / Fraction(*target)
    if fit == "fill" or wider == 1:
        return Layout(whole, turns, everywhere)
    if fit == "cover":
        shown = (_even(width / wider, width), height) if wider > 1 else (width, _even(height * wider, height))
        return Layout(_centred(shown, size), turns, everywhere)
    inside = (
        (target[0], _even(target[1] / wider, target[1]))
        if wider > 1
        else (_even(target[0] * wider, target[0]), target[1])
    )
    return Layout(whole, turns, _centred(inside if turns % 2 == 0 else inside[::-1], canvas))


def _even(length: Fraction, limit: int) -> int:
    """Return the nearest even length in 2..limit (1 when the limit is 1)."""
    return min(limit, max(2, 2 * round(length / 2)))


def _centred(inner: tuple[int, int], outer: tuple[int, int]) -> Rectangle:
    """Centre, at an even place: chroma has one sample for two pixels."""
    return Rectangle((outer[0] - inner[0]) // 4 * 2, (outer[1] - inner[1]) // 4 * 2, *inner)
