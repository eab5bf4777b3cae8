"""Captured NDI pictures become frames: every pixel format, transparency, fields."""

import ctypes

import numpy as np
import pytest

from sdstream.config.schema import Canvas
from sdstream.sources.decoding.convert import Converter
from sdstream.sources.decoding.shape import Shape
from sdstream.sources.ndi_capture import FIELD_0, FIELD_1, Video
from sdstream.sources.ndi_picture import Fields, frame_of, is_interlaced

WIDTH, HEIGHT = 40, 24
COLOUR = (192, 48, 96)


def yuv(colour):
    r, g, b = (part / 255 for part in colour)
    y = 0.2126 * r + 0.7152 * g + 0.0722 * b
    return [round(v) for v in (16 + 219 * y, 128 + 224 * (b - y) / 1.8556, 128 + 224 * (r - y) / 1.5748)]


def memory(code, height=HEIGHT, colour=COLOUR, alpha=255):
    """Return the bytes of a flat picture, and the line stride."""
    y, u, v = yuv(colour)
    flat = {
        "UYVY": ([u, y, v, y] * (WIDTH // 2) * height, 2),
        "UYVA": ([u, y, v, y] * (WIDTH // 2) * height + [alpha] * WIDTH * height, 2),
        "BGRA": ([*colour[::-1], alpha] * WIDTH * height, 4),
        "BGRX": ([*colour[::-1], 0] * WIDTH * height, 4),
        "RGBA": ([*colour, alpha] * WIDTH * height, 4),
        "RGBX": ([*colour, 0] * WIDTH * height, 4),
        "NV12": ([y] * WIDTH * height + [u, v] * (WIDTH * height // 4), 1),
        "I420": ([y] * WIDTH * height + [u] * (WIDTH * height // 4) + [v] * (WIDTH * height // 4), 1),
    }
    values, stride = flat[code]
    return np.array(values, np.uint8), stride * WIDTH


def captured(code, **more):
    """Return a captured picture, and the array that owns the memory."""
    form = more.pop("form", 1)
    height = more.get("height", HEIGHT)
    data, stride = memory(code, **more)
    four = int.from_bytes(code.encode(), "little")
    video = Video(xres=WIDTH, yres=height, FourCC=four, frame_format_type=form, line_stride_in_bytes=stride)
    video.p_data = data.ctypes.data_as(ctypes.c_void_p)
    return video, data


def shown(frame):
    pixels = Converter(Canvas(width=WIDTH, height=HEIGHT)).convert(frame, Shape.of(frame))
    return pixels[HEIGHT // 2, WIDTH // 2].tolist()


@pytest.mark.parametrize("code", ["UYVY", "UYVA", "BGRA", "BGRX", "RGBA", "RGBX", "NV12", "I420"])
def test_every_pixel_format_has_its_colours(code):
    video, _data = captured(code)
    assert shown(frame_of(video, Fields().whole(video))) == pytest.approx(COLOUR, abs=3)


@pytest.mark.parametrize("code", ["UYVA", "BGRA", "RGBA"])
@pytest.mark.parametrize(("alpha", "share"), [(0, 0.0), (128, 0.5)])
def test_transparency_is_blended_with_black(code, alpha, share):
    video, _data = captured(code, alpha=alpha)
    assert shown(frame_of(video, Fields().whole(video))) == pytest.approx([c * share for c in COLOUR], abs=3)


@pytest.mark.parametrize("code", ["UYVY", "UYVA"])
def test_two_fields_are_the_lines_of_a_picture(code):
    fields = Fields()
    first, _one = captured(code, height=HEIGHT // 2, colour=(235, 235, 235), form=FIELD_0)
    second, _two = captured(code, height=HEIGHT // 2, colour=(16, 16, 16), form=FIELD_1)
    assert fields.whole(first) is None
    frame = frame_of(second, fields.whole(second))
    luma = frame.to_ndarray(format="gray")[:, 4].tolist()
    assert (frame.height, is_interlaced(second)) == (HEIGHT, True)
    assert luma[0] - luma[1] > 150
    assert luma[0:20:2] == [luma[0]] * 10


def test_a_second_field_without_the_first_is_left_out():
    second, _data = captured("UYVY", height=HEIGHT // 2, form=FIELD_1)
    assert Fields().whole(second) is None


def test_an_unknown_pixel_format_is_named():
    video, _data = captured("UYVY")
    video.FourCC = int.from_bytes(b"XYZW", "little")
    with pytest.raises(ValueError, match="XYZW"):
        Fields().whole(video)
