"""The size that a model works at."""

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sdstream.engine.size import AREA, choose_size


@pytest.mark.parametrize(
    ("canvas", "step", "size"),
    [
        ((1280, 720), 32, (672, 384)),
        ((1920, 1080), 64, (704, 384)),
        ((1080, 1920), 64, (384, 704)),
        ((640, 480), 64, (576, 448)),
        ((512, 512), 64, (512, 512)),
        ((1920, 1200), 8, (640, 400)),  # the very shape counts more than a nearer area
    ],
)
def test_auto_follows_the_canvas_near_the_area_that_models_know(canvas, step, size):
    assert choose_size("auto", "auto", canvas, step) == size


def test_a_side_that_is_given_is_kept_and_the_other_side_follows():
    assert choose_size("auto", 288, (1280, 720), 32) == (512, 288)
    assert choose_size(512, "auto", (1280, 720), 32) == (512, 288)


def test_two_sides_that_are_given_are_kept_whatever_the_canvas():
    assert choose_size(512, 512, (1280, 720), 64) == (512, 512)


SIDES, STEPS = st.integers(100, 4000), st.sampled_from([8, 16, 32, 64])


@given(SIDES, SIDES, STEPS)
def test_a_size_is_a_multiple_of_the_step(width, height, step):
    wide, high = choose_size("auto", "auto", (width, height), step)
    assert wide % step == high % step == 0


@given(SIDES, SIDES, STEPS)
def test_any_usual_canvas_gets_a_size_of_about_its_shape(width, height, step):
    assume(0.4 < width / height < 2.5)
    wide, high = choose_size("auto", "auto", (width, height), step)
    assert abs(math.log(wide / high / (width / height))) < 0.15
    assert 0.7 < wide * high / AREA < 1.4
