"""Turns any decoded picture into RGB of canvas size, in a single pass of libswscale, with every colour tag decided.

Missing tags are decided here: no matrix means BT.709 from 720 lines on and BT.601 below, no range means
limited (full for the yuvj formats and for grey).
"""

from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
from av.filter import Graph

from sdstream.config.schema import Canvas
from sdstream.frame import Pixels
from sdstream.sources.decoding.geometry import Layout, lay_out

# AVColorSpace (ITU-T H.273 MatrixCoefficients) -> the scale filter's names; the filter lacks YCgCo and ICtCp.
_MATRICES = {1: "bt709", 4: "fcc", 5: "bt601", 6: "bt601", 7: "smpte240m", 9: "bt2020", 10: "bt2020"}
_LIMITED, _FULL = 1, 2  # AVColorRange
# Without full_chroma_int a scaled picture comes out 2 levels dark (worst 4); with it, exact to 2 for 0.6 ms more at
# 1280x720 to 640x360. An unscaled picture takes the fast path with or without (0.3 ms, worst 3; accurate_rnd: 3.6 ms).
_SCALER = "bilinear+full_chroma_int"
_HD_LINES = 720
_STRETCH = "clip((val-16)*255/219,0,255)"
_TURNS = {1: ("transpose=clock",), 2: ("vflip", "hflip"), 3: ("transpose=cclock",)}


@dataclass(frozen=True, slots=True)
class Shape:
    """Everything that decides a conversion; a new shape needs a new filter graph."""

    width: int
    height: int
    format: str
    matrix: int
    """AVColorSpace as tagged; 2 is unspecified."""
    range: int
    """AVColorRange as tagged; 0 is unspecified."""
    aspect: Fraction
    """Sample aspect ratio: width / height of a pixel."""
    turns: int
    """Quarter turns clockwise until the picture is upright."""

    @classmethod
    def of(cls, frame: av.VideoFrame, aspect: Fraction | None = None) -> "Shape":
        """Read a frame's shape; `aspect` comes from the container or the codec (None or 0: square)."""
        turns = round(-frame.rotation / 90) % 4  # the display matrix counts counter-clockwise
        ratio = aspect if aspect else Fraction(1)
        range_ = int(frame.color_range)
        return cls(frame.width, frame.height, frame.format.name, int(frame.colorspace), range_, ratio, turns)

    @property
    def matrix_name(self) -> str:
        """Name of the matrix to decode with."""
        return _MATRICES.get(self.matrix, "bt709" if self.height >= _HD_LINES else "bt601")

    @property
    def full_range(self) -> bool:
        """Whether 0-255 is used for luma, and not 16-235."""
        if self.range:
            return self.range == _FULL
        return self.grey or self.format.startswith("yuvj")

    @property
    def colour(self) -> str:
        """Return the matrix and range used, with "(assumed)" where a tag is missing."""
        tagged = self.matrix in _MATRICES and self.range != 0
        text = f"{self.matrix_name} {'full' if self.full_range else 'limited'}"
        return text if tagged else f"{text} (assumed)"

    @property
    def grey(self) -> bool:
        """Whether the format has luma only."""
        return self.format.startswith(("gray", "ya"))


class Converter:
    """Converts decoded frames to a canvas; keeps the filter graph until the shape changes."""

    def __init__(self, canvas: Canvas) -> None:
        self._canvas = canvas
        self._shape: Shape | None = None
        self._graph: Graph | None = None
        self._shown: av.VideoFrame | None = None  # owns the memory of the pixels handed out last

    def convert(self, frame: av.VideoFrame, shape: Shape) -> Pixels:
        """Return `frame` at canvas size; valid until the next call. Raises ValueError for an unusable shape."""
        if shape != self._shape or self._graph is None:
            self._graph = _graph(shape, self._canvas)
            self._shape = shape
        frame.pts = 0  # the graph needs no time, and must not see time run backwards
        self._graph.vpush(frame)
        self._shown = self._graph.vpull()
        return rgb_view(self._shown)

    def layout(self, shape: Shape) -> Layout:
        """Return how pictures of this shape lie on the canvas."""
        size = (self._canvas.width, self._canvas.height)
        return lay_out((shape.width, shape.height), size, self._canvas.fit, shape.aspect, shape.turns)


def rgb_view(frame: av.VideoFrame) -> Pixels:
    """Return an rgb24 frame's pixels: a view if the lines have no padding (the usual case), else a copy."""
    plane = frame.planes[0]
    lines = np.frombuffer(memoryview(plane), np.uint8, plane.line_size * frame.height).reshape(
        frame.height, plane.line_size
    )
    return np.ascontiguousarray(lines[:, : frame.width * 3]).reshape(frame.height, frame.width, 3)


def _graph(shape: Shape, canvas: Canvas) -> Graph:
    layout = lay_out((shape.width, shape.height), (canvas.width, canvas.height), canvas.fit, shape.aspect, shape.turns)
    crop, place, (width, height) = layout.crop, layout.place, layout.scaled
    steps = []
    if (crop.width, crop.height) != (shape.width, shape.height):
        steps.append(f"crop={crop.width}:{crop.height}:{crop.x}:{crop.y}:exact=1")
    range_in = "full" if shape.full_range else "limited"
    steps.append(
        f"scale={width}:{height}:flags={_SCALER}:in_color_matrix={shape.matrix_name}:in_range={range_in}:out_range=full"
    )
    steps.append("format=rgb24")
    if shape.grey and not shape.full_range:
        steps.append(f"lutrgb=r={_STRETCH}:g={_STRETCH}:b={_STRETCH}")  # swscale reads every grey format as full range
    steps += _TURNS.get(layout.turns, ())
    if (place.width, place.height) != (canvas.width, canvas.height):
        steps.append(f"pad={canvas.width}:{canvas.height}:{place.x}:{place.y}:black")
    graph = Graph()
    graph.threads = 1  # two threads gain nothing at these sizes, and cost wake-ups
    source = graph.add("buffer", _buffer_arguments(shape))
    nodes = [source, *(graph.add(*step.split("=", 1)) for step in steps), graph.add("buffersink")]
    graph.link_nodes(*nodes).configure()
    return graph


def _buffer_arguments(shape: Shape) -> str:
    """Describe the graph's input exactly: the graph configures again when a frame differs from the description."""
    return (
        f"video_size={shape.width}x{shape.height}:pix_fmt={shape.format}:time_base=1/1:pixel_aspect=1/1"
        f":colorspace={shape.matrix}:range={shape.range}"
    )
