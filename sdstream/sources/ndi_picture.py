"""Turns captured NDI pictures into FFmpeg frames: every pixel format, transparency, and pairs of fields.

NDI is BT.709 with limited range at every size.
"""

from typing import Any

import av
import numpy as np
import numpy.typing as npt

from sdstream.sources.ndi_capture import FIELD_0, FIELD_1, INTERLEAVED, Video

_BT709, _LIMITED = 1, 1
_UYVA = b"UYVA"
_FORMATS = {
    b"UYVY": ("uyvy422", ((1, 1),)),
    _UYVA: ("yuva422p", ((1, 1), (1, 2))),
    b"BGRA": ("bgra", ((1, 1),)),
    b"BGRX": ("bgr0", ((1, 1),)),
    b"RGBA": ("rgba", ((1, 1),)),
    b"RGBX": ("rgb0", ((1, 1),)),
    b"NV12": ("nv12", ((1, 1), (2, 1))),
    b"I420": ("yuv420p", ((1, 1), (2, 2), (2, 2))),
}
"""FFmpeg's name, and the divisors of height and line stride of each plane in memory."""

Lines = npt.NDArray[np.uint8]
"""(lines, bytes) of a plane."""


class Fields:
    """Joins the two fields of an interlaced picture."""

    def __init__(self) -> None:
        self._upper: list[Lines] = []

    def whole(self, video: Video) -> list[Lines] | None:
        """Return the planes of a picture, views of the runtime's memory or copies; None for a first field."""
        planes = _planes(video)
        if video.frame_format_type == FIELD_0:
            self._upper = [plane.copy() for plane in planes]
            return None
        if video.frame_format_type != FIELD_1:
            return planes
        upper, self._upper = self._upper, []
        if [plane.shape for plane in upper] != [plane.shape for plane in planes]:
            return None  # the first field was lost
        pairs = zip(upper, planes, strict=True)
        return [np.stack([first, second], 1).reshape(-1, first.shape[1]) for first, second in pairs]


def is_interlaced(video: Video) -> bool:
    """Tell whether lines of two moments are in the picture."""
    return video.frame_format_type in {INTERLEAVED, FIELD_0, FIELD_1}


def frame_of(video: Video, planes: list[Lines]) -> av.VideoFrame:
    """Return a frame with a copy of `planes`. Raises ValueError for an unknown pixel format."""
    code = _code(video)
    name = _FORMATS[code][0]
    frame = av.VideoFrame(video.xres, len(planes[0]), name)
    if code == _UYVA:
        packed, alpha = planes
        planes = [packed[:, 1::2], packed[:, 0::4], packed[:, 2::4], alpha]
    for number, lines in enumerate(planes):
        _fill(frame, number, lines)
    if not av.VideoFormat(name).is_rgb:
        frame.colorspace, frame.color_range = _BT709, _LIMITED
    return frame


def _code(video: Video) -> bytes:
    code = int(video.FourCC).to_bytes(4, "little")
    if code not in _FORMATS:
        raise ValueError(f"the NDI pixel format {code!r} is unknown")
    return code


def _planes(video: Video) -> list[Lines]:
    """Return views of the planes in the runtime's memory."""
    planes, offset = [], 0
    for rows, width in _FORMATS[_code(video)][1]:
        shape = (video.yres // rows, video.line_stride_in_bytes // width)
        planes.append(video.bytes(shape[0] * shape[1], offset).reshape(shape))
        offset += shape[0] * shape[1]
    return planes


def _fill(frame: av.VideoFrame, number: int, lines: Lines) -> None:
    """Copy lines into a plane; both may have padding at the end of a line."""
    plane = frame.planes[number]
    if lines.flags.c_contiguous and lines.shape == (plane.height, plane.line_size):
        exact: Any = lines  # PyAV takes any buffer, but is typed for bytes
        plane.update(exact)
        return
    padded: Any = np.zeros((plane.height, plane.line_size), np.uint8)
    width = min(lines.shape[1], plane.line_size)
    padded[:, :width] = lines[: plane.height, :width]
    plane.update(padded)
