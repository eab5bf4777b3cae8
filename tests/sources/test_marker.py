"""The marker: numbers and times that are burnt into a picture and read back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from sdstream.sources.marker import COUNTER_BITS, TICK, TICK_BITS, Mark, burn, fits, read

marks = st.builds(Mark, st.integers(0, (1 << COUNTER_BITS) - 1), st.integers(0, (1 << TICK_BITS) - 1), st.booleans())
sizes = st.tuples(*2 * [st.integers(64, 400)])


def noise(width, height):
    return np.random.default_rng(width).integers(0, 256, (height, width, 3), dtype=np.uint8)


@given(marks, sizes)
def test_a_burnt_in_mark_is_read_back(mark, size):
    pixels = noise(*size)
    burn(pixels, mark)
    assert read(pixels) == mark


@given(marks, st.sampled_from([(320, 180), (854, 480), (512, 288)]))
def test_a_mark_survives_scaling(mark, size):
    pixels = noise(640, 360)
    burn(pixels, mark)
    scaled = np.array(Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR))
    assert read(scaled) == mark


@given(marks)
def test_a_mark_survives_a_crop_to_the_square(mark):
    pixels = noise(640, 360)
    burn(pixels, mark)
    assert read(np.ascontiguousarray(pixels[:, 140:500])) == mark


@given(marks, st.integers(0, 63))
def test_a_cell_that_is_wrong_makes_no_mark(mark, cell):
    pixels = noise(128, 128)
    burn(pixels, mark)
    row, column = divmod(cell, 32)
    part = pixels[row * 4 : row * 4 + 4, column * 4 : column * 4 + 4]
    part[:] = 255 - part
    assert read(pixels) is None


@pytest.mark.parametrize("level", [0, 16, 128, 235, 255])
def test_a_plain_picture_has_no_mark(level):
    assert read(np.full((180, 320, 3), level, np.uint8)) is None


def test_a_picture_that_is_too_small_takes_no_mark():
    small = np.zeros((63, 200, 3), np.uint8)
    assert not fits(200, 63)
    assert read(small) is None
    with pytest.raises(ValueError, match="too small"):
        burn(small, Mark(1, 2, beep=False))


@given(st.floats(0, 1e7), st.floats(0, 1000))
def test_the_age_is_the_time_since_birth_even_when_the_clock_has_wrapped(birth, age):
    mark = Mark(0, round(birth / TICK) % (1 << TICK_BITS), beep=False)
    assert mark.age(birth + age) == pytest.approx(age, abs=2 * TICK)
