"""Pictures are scaled without losing a pixel's share, and without a copy where nothing changes."""

import numpy as np
import pytest

from sdstream.frame import Pixels
from sdstream.scaling import fit


def noise(height: int, width: int) -> Pixels:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_a_picture_of_the_wanted_size_is_returned_as_it_is():
    picture = noise(48, 64)
    assert fit(picture, 64, 48) is picture


def test_half_the_size_is_the_mean_of_four_pixels():
    picture = noise(48, 64)
    means = picture.reshape(24, 2, 32, 2, 3).mean((1, 3))
    assert np.abs(fit(picture, 32, 24) - means).max() <= 0.75


@pytest.mark.parametrize("divisor", [4, 8])
def test_far_below_half_the_size_every_pixel_still_counts(divisor):
    picture = noise(192, 256)
    means = picture.reshape(192 // divisor, divisor, 256 // divisor, divisor, 3).mean((1, 3))
    scaled = fit(picture, 256 // divisor, 192 // divisor)
    assert np.abs(scaled - means).max() <= 2.0  # a rounding for each halving


@pytest.mark.parametrize("size", [(512, 288), (384, 384), (1920, 1080), (640, 300)])
def test_an_even_picture_stays_even_at_any_size(size):
    grey = np.full((720, 1280, 3), 77, np.uint8)
    scaled = fit(grey, *size)
    assert scaled.shape == (size[1], size[0], 3)
    assert (scaled == 77).all()
