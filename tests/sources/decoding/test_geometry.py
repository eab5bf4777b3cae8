"""The geometry of cover, contain and fill."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdstream.sources.decoding.geometry import Rectangle, lay_out

lengths = st.integers(1, 8192)
sizes = st.tuples(lengths, lengths)
canvases = st.tuples(*2 * [st.integers(8, 2048).map(lambda half: 2 * half)])
fits = st.sampled_from(["cover", "contain", "fill"])
aspects = st.fractions(Fraction(1, 4), Fraction(4), max_denominator=100)
turns = st.integers(-4, 7)


def assert_within(part, whole):
    assert 0 <= part.x <= part.x + part.width <= whole[0]
    assert 0 <= part.y <= part.y + part.height <= whole[1]
    assert part.width > 0
    assert part.height > 0


@given(sizes, canvases, fits, aspects, turns)
def test_the_shown_part_lies_within_the_picture_and_within_the_canvas(size, canvas, fit, aspect, turns):
    layout = lay_out(size, canvas, fit, aspect, turns)
    assert_within(layout.crop, size)
    assert_within(layout.place, canvas)


@given(sizes, canvases, fits, aspects, turns)
def test_places_on_the_canvas_are_even(size, canvas, fit, aspect, turns):
    place = lay_out(size, canvas, fit, aspect, turns).place
    assert {place.x % 2, place.y % 2, place.width % 2, place.height % 2} == {0}


@given(sizes, canvases, aspects, turns)
def test_a_crop_is_even_unless_it_takes_everything(size, canvas, aspect, turns):
    crop = lay_out(size, canvas, "cover", aspect, turns).crop
    assert crop.x % 2 == crop.y % 2 == 0
    assert crop.width % 2 == 0 or crop.width == size[0]
    assert crop.height % 2 == 0 or crop.height == size[1]


@given(sizes, canvases, aspects, turns)
def test_cover_leaves_no_bars_and_contain_cuts_nothing_off(size, canvas, aspect, turns):
    assert lay_out(size, canvas, "cover", aspect, turns).place == Rectangle(0, 0, *canvas)
    assert lay_out(size, canvas, "contain", aspect, turns).crop == Rectangle(0, 0, *size)


@given(sizes, canvases, turns)
def test_fill_shows_everything_everywhere(size, canvas, turns):
    layout = lay_out(size, canvas, "fill", Fraction(1), turns)
    assert (layout.crop, layout.place) == (Rectangle(0, 0, *size), Rectangle(0, 0, *canvas))


@given(sizes, canvases, aspects, turns)
def test_contain_keeps_a_circle_a_circle_to_within_a_pixel(size, canvas, aspect, turns):
    layout = lay_out(size, canvas, "contain", aspect, turns)
    width, height = layout.scaled
    misses = abs(width - size[0] * aspect * height / size[1]), abs(height - size[1] * width / (size[0] * aspect))
    assert min(misses) <= 1 or min(width, height) == 2


@given(sizes, canvases, aspects, turns)
def test_cover_keeps_a_circle_a_circle_to_within_a_pixel(size, canvas, aspect, turns):
    layout = lay_out(size, canvas, "cover", aspect, turns)
    (width, height), crop = layout.scaled, layout.crop
    misses = (
        abs(crop.width - crop.height * Fraction(width, height) / aspect),
        abs(crop.height - crop.width * aspect * Fraction(height, width)),
    )
    assert min(misses) <= 1 or min(crop.width, crop.height) <= 2


@given(sizes, canvases, fits, aspects)
def test_four_quarter_turns_are_no_turn(size, canvas, fit, aspect):
    assert lay_out(size, canvas, fit, aspect, 4) == lay_out(size, canvas, fit, aspect, 0)


@pytest.mark.parametrize(
    ("size", "fit", "aspect", "turns", "crop", "place"),
    [
        ((1280, 720), "cover", Fraction(1), 0, (0, 0, 1280, 720), (0, 0, 640, 360)),
        ((640, 480), "cover", Fraction(1), 0, (0, 60, 640, 360), (0, 0, 640, 360)),
        ((640, 480), "contain", Fraction(1), 0, (0, 0, 640, 480), (80, 0, 480, 360)),
        ((720, 576), "contain", Fraction(64, 45), 0, (0, 0, 720, 576), (0, 0, 640, 360)),
        ((360, 640), "contain", Fraction(1), 1, (0, 0, 360, 640), (0, 0, 640, 360)),
        ((640, 360), "contain", Fraction(1), 3, (0, 0, 640, 360), (218, 0, 202, 360)),
    ],
)
def test_a_known_case_gives_its_known_layout(size, fit, aspect, turns, crop, place):
    layout = lay_out(size, (640, 360), fit, aspect, turns)
    assert (layout.crop, layout.place) == (Rectangle(*crop), Rectangle(*place))
