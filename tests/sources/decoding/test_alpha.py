"""Transparent pictures are laid over a colour, and the colours below the transparency never show."""

import av
import numpy as np
import pytest

from sdstream.config.schema import Canvas
from sdstream.config.sources import PictureSettings
from sdstream.sources.decoding.convert import Converter
from sdstream.sources.decoding.shape import Shape

MAGENTA, GREEN = (255, 0, 255), (48, 192, 48)
SIZE = (64, 48)
FORMATS = ["rgba", "bgra", "gbrap", "yuva420p", "yuva422p", "yuva444p", "yuva444p10le", "rgba64le"]


def half_transparent(form, opacity=0):
    """Return magenta of `opacity` on the left, opaque green on the right."""
    pixels = np.zeros((*SIZE[::-1], 4), np.uint8)
    pixels[:, :32], pixels[:, 32:] = (*MAGENTA, opacity), (*GREEN, 255)
    frame = av.VideoFrame.from_ndarray(pixels, "rgba")
    if form.startswith("yuv"):
        frame = frame.reformat(format=form, dst_colorspace=1, dst_color_range=1)
        frame.colorspace, frame.color_range = 1, 1
        return frame
    return frame.reformat(format=form)


def shown(frame, canvas=SIZE, **settings):
    converter = Converter(Canvas(width=canvas[0], height=canvas[1]), PictureSettings(**settings))
    return converter.convert(frame, Shape.of(frame)).astype(int)


def worst(pixels, colour):
    return int(np.abs(np.median(pixels.reshape(-1, 3), 0) - np.array(colour)).max())


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("background", ["#000000", "#00ff00"])
def test_what_is_transparent_shows_the_background(form, background):
    pixels = shown(half_transparent(form), background=background)
    assert worst(pixels[:, :28], [int(background[i : i + 2], 16) for i in (1, 3, 5)]) <= 2
    assert worst(pixels[:, 36:], GREEN) <= 3


@pytest.mark.parametrize("form", FORMATS)
def test_half_opacity_is_half_of_each_colour(form):
    pixels = shown(half_transparent(form, 128), background="#0000ff")
    assert worst(pixels[:, :28], (128, 0, 255)) <= 4


def test_hidden_colours_do_not_bleed_into_an_edge_when_the_picture_is_scaled():
    pixels = shown(half_transparent("rgba"), canvas=(90, 66))
    assert pixels[:, :, 2].max() <= GREEN[2] + 2


def test_premultiplied_colours_are_not_darkened_again():
    frame = av.VideoFrame.from_ndarray(np.full((48, 64, 4), (100, 50, 25, 128), np.uint8), "rgba")
    assert worst(shown(frame, alpha="premultiplied"), (100, 50, 25)) <= 1
    assert worst(shown(frame, alpha="premultiplied", background="#0000ff"), (100, 50, 152)) <= 1


def test_transparency_can_be_ignored():
    assert worst(shown(half_transparent("rgba"), alpha="ignore")[:, :28], MAGENTA) <= 1
