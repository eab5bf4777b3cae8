"""Decoded pictures become RGB of canvas size: colour, aspect, rotation."""

import itertools
from fractions import Fraction

import av
import numpy as np
import pytest

from sdstream.config.schema import Canvas
from sdstream.sources.decoding.convert import Converter
from sdstream.sources.decoding.shape import Shape

ROSE = (200, 50, 80)
WEIGHTS = {"bt709": (0.2126, 0.0722), "bt601": (0.299, 0.114)}
TAGS = {"bt709": 1, "bt601": 6}
LIMITED, FULL = 1, 2
TOLERANCE = 3


def yuv(matrix, *, full, bits=8):
    """Return ROSE in YUV, from the definition of the matrix."""
    red, blue = WEIGHTS[matrix]
    r, g, b = ROSE
    y = red * r + (1 - red - blue) * g + blue * b
    u, v = (b - y) / (2 * (1 - blue)), (r - y) / (2 * (1 - red))
    luma, chroma = (y, (u, v)) if full else (16 + y * 219 / 255, (u * 224 / 255, v * 224 / 255))
    return [round(value * 2 ** (bits - 8)) for value in (luma, *(128 + c for c in chroma))]


def flat(form, size, values, *, matrix=2, range_=0):
    """Return a picture of one colour: one value for each plane."""
    frame = av.VideoFrame(*size, form)
    frame.colorspace, frame.color_range = matrix, range_
    for plane, value in zip(frame.planes, (*values, 255), strict=False):
        deep = "10le" in form or "12le" in form
        dots = np.full(plane.buffer_size // 2, value, "<u2") if deep else np.full(plane.buffer_size, value, "u1")
        plane.update(dots.tobytes())
    return frame


def converted(frame, aspect=None, **canvas):
    pixels = Converter(Canvas(**{"width": 320, "height": 180, **canvas})).convert(frame, Shape.of(frame, aspect))
    assert (pixels.dtype, pixels.flags.c_contiguous) == (np.uint8, True)
    return pixels


def error(pixels, colour=ROSE):
    middle = pixels[pixels.shape[0] // 2, pixels.shape[1] // 2].astype(int)
    return int(np.abs(middle - np.array(colour)).max())


PLANAR = ["yuv420p", "yuv422p", "yuv444p", "yuva420p", "yuv420p10le", "yuv444p10le"]


@pytest.mark.parametrize(
    ("form", "matrix", "full", "size"),
    list(itertools.product(PLANAR, WEIGHTS, [False, True], [(1280, 720), (640, 480)])),
)
def test_tagged_colour_is_right(form, matrix, full, size):
    bits = 10 if "10" in form else 8
    range_ = FULL if full else LIMITED
    frame = flat(form, size, yuv(matrix, full=full, bits=bits), matrix=TAGS[matrix], range_=range_)
    assert error(converted(frame)) <= TOLERANCE


@pytest.mark.parametrize(("size", "matrix"), [((1280, 720), "bt709"), ((640, 480), "bt601"), ((360, 640), "bt601")])
def test_untagged_colour_is_bt709_from_720_lines_on_and_bt601_below(size, matrix):
    assert error(converted(flat("yuv420p", size, yuv(matrix, full=False)))) <= TOLERANCE


@pytest.mark.parametrize("form", ["yuvj420p", "yuvj422p", "yuvj444p"])
def test_a_yuvj_format_is_full_range_without_being_tagged(form):
    assert error(converted(flat(form, (640, 480), yuv("bt601", full=True)))) <= TOLERANCE


@pytest.mark.parametrize(("range_", "value"), [(0, 126), (FULL, 126), (LIMITED, 124)])
def test_grey_is_full_range_unless_it_is_tagged_otherwise(range_, value):
    grey = flat("gray", (64, 48), [value], range_=range_)
    assert error(converted(grey), (126, 126, 126)) <= TOLERANCE


@pytest.mark.parametrize("form", ["rgb24", "bgra", "rgba", "gbrp", "bgr24", "0rgb", "rgb48le"])
def test_rgb_of_any_packing_stays_as_it_is(form):
    source = np.full((48, 64, 3), ROSE, np.uint8)
    frame = av.VideoFrame.from_ndarray(source, "rgb24").reformat(format=form)
    assert error(converted(frame)) <= 1


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (3, 3), (1, 500), (500, 1), (17, 9), (641, 361), (4096, 2160)])
@pytest.mark.parametrize("fit", ["cover", "contain", "fill"])
def test_any_size_becomes_a_picture_of_canvas_size(size, fit):
    frame = flat("yuv420p", size, yuv("bt601", full=False), matrix=6, range_=LIMITED)
    assert converted(frame, fit=fit).shape == (180, 320, 3)


def test_contain_leaves_black_bars():
    pixels = converted(flat("yuv420p", (480, 480), yuv("bt601", full=False)), fit="contain")
    assert error(pixels) <= TOLERANCE
    assert pixels[:, :70].max() == pixels[:, -70:].max() == 0


def test_samples_that_are_not_square_are_shown_wide():
    pixels = converted(flat("yuv420p", (720, 576), yuv("bt601", full=False)), Fraction(64, 45), fit="contain")
    assert pixels[:, 1].max() > 190  # 16:9 then, so there are no bars


def quadrants(form):
    """Return red, green / blue, white."""
    pixels = np.zeros((96, 96, 3), np.uint8)
    pixels[:48, :48], pixels[:48, 48:], pixels[48:, :48], pixels[48:] = (
        (255, 0, 0),
        (0, 255, 0),
        (0, 0, 255),
        pixels[48:],
    )
    pixels[48:, :48], pixels[48:, 48:] = (0, 0, 255), (255, 255, 255)
    return av.VideoFrame.from_ndarray(pixels, "rgb24").reformat(format=form)


RED, GREEN, BLUE, WHITE = "red", "green", "blue", "white"


def seen(pixels):
    """Name the colours of the quadrants, as read."""
    names = {(True, False, False): RED, (False, True, False): GREEN, (False, False, True): BLUE, (True,) * 3: WHITE}
    height, width = pixels.shape[:2]
    return [
        names[tuple(pixels[y, x] > 128)] for y in (height // 4, height * 3 // 4) for x in (width // 4, width * 3 // 4)
    ]


@pytest.mark.parametrize(
    ("turns", "expected"),
    [
        (0, [RED, GREEN, BLUE, WHITE]),
        (1, [BLUE, RED, WHITE, GREEN]),
        (2, [WHITE, BLUE, GREEN, RED]),
        (3, [GREEN, WHITE, RED, BLUE]),
    ],
)
def test_quarter_turns_are_clockwise(turns, expected):
    shape = Shape(96, 96, "yuv444p", 1, LIMITED, Fraction(1), turns)
    frame = quadrants("yuv444p")
    frame.colorspace, frame.color_range = 1, LIMITED
    pixels = Converter(Canvas(width=64, height=64)).convert(frame, shape)
    assert seen(pixels) == expected


def test_the_converter_follows_a_change_of_size_format_and_colour():
    converter = Converter(Canvas(width=320, height=180))
    first = flat("yuv420p", (640, 480), yuv("bt601", full=False), matrix=6, range_=LIMITED)
    second = flat("yuv444p10le", (1280, 720), yuv("bt709", full=True, bits=10), matrix=1, range_=FULL)
    errors = [error(converter.convert(frame, Shape.of(frame))) for frame in (first, second, first)]
    assert max(errors) <= TOLERANCE
