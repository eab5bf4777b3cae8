"""RGB becomes YUV 4:2:0 as BT.709 demands, for every even size."""

import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sdstream.errors import Bug
from sdstream.sinks.yuv import Yuv420, as_av_frame
from tests.harness import bars

KR, KB = 0.2126, 0.0722
EVEN = st.integers(1, 24).map(lambda half: 2 * half)


def exact(pixels: np.ndarray) -> np.ndarray:
    """BT.709 limited range in floating point, by the equations of the recommendation."""
    r, g, b = (pixels[..., i] / 255 for i in range(3))
    y = KR * r + (1 - KR - KB) * g + KB * b
    return np.stack([16 + 219 * y, 128 + 224 * (b - y) / (2 - 2 * KB), 128 + 224 * (r - y) / (2 - 2 * KR)], -1)


def blocks(values: np.ndarray) -> np.ndarray:
    """Means of 2x2 pixels."""
    height, width = values.shape[:2]
    return values.reshape(height // 2, 2, width // 2, 2, -1).mean((1, 3))


def chroma(rows: np.ndarray, layout: str) -> np.ndarray:
    """Return Cb and Cr as (height, width, 2); NV12 has them pair by pair, I420 plane by plane."""
    height, width = rows.shape[0], rows.shape[1] // 2
    return rows.reshape(height, width, 2) if layout == "nv12" else rows.reshape(2, height, width).transpose(1, 2, 0)


@settings(max_examples=40, deadline=None)
@given(data=st.data(), width=EVEN, height=EVEN, layout=st.sampled_from(["i420", "nv12"]))
def test_the_conversion_is_bt709_limited_for_every_picture_of_every_even_size(data, width, height, layout):
    pixels = data.draw(arrays(np.uint8, (height, width, 3)))
    converter = Yuv420(width, height, layout)
    planes = converter.empty()
    converter.convert(pixels, planes)
    wanted = exact(pixels)
    assert np.abs(planes[:height] - wanted[..., 0]).max() <= 0.65
    assert np.abs(chroma(planes[height:], layout) - blocks(wanted)[..., 1:]).max() <= 1.15


@pytest.mark.parametrize("size", [(64, 48), (322, 242), (1286, 722), (854, 486)])
@pytest.mark.parametrize("colours", [bars.COLOURS[:4], bars.COLOURS[4:]])
def test_ffmpeg_reads_the_frame_back_in_the_same_colours_whatever_its_padding(size, colours):
    width, height = size
    quarters = np.array(colours, np.uint8).reshape(2, 2, 3)
    pixels = quarters[np.arange(height)[:, None] * 2 // height, np.arange(width) * 2 // width]
    converter = Yuv420(width, height, "i420")
    planes = converter.empty()
    converter.convert(pixels, planes)
    frame = as_av_frame(planes, height)
    assert (frame.width, frame.height) == size
    assert (frame.colorspace, frame.color_range) == (Colorspace.ITU709, ColorRange.MPEG)
    assert np.array_equal(frame.to_ndarray(), planes)
    inside = frame.to_ndarray(format="rgb24")[height // 8 :: height // 4, width // 8 :: width // 4].astype(int)
    assert np.abs(inside[:4:2, :4:2] - quarters).max() <= 3


def test_a_picture_that_may_not_be_written_to_is_read_all_the_same():
    pixels = np.full((4, 4, 3), 255, np.uint8)
    pixels.flags.writeable = False
    converter = Yuv420(4, 4, "nv12")
    planes = converter.empty()
    converter.convert(pixels, planes)
    assert planes.tolist() == [[235] * 4] * 4 + [[128] * 4] * 2


def test_an_odd_size_is_a_bug():
    with pytest.raises(Bug, match="even size, not 641x360"):
        Yuv420(641, 360, "i420")


def test_a_picture_of_another_size_is_a_bug():
    converter = Yuv420(4, 4, "i420")
    with pytest.raises(Bug, match="4x4"):
        converter.convert(np.zeros((4, 6, 3), np.uint8), converter.empty())
