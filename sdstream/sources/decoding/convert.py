"""Turns any decoded picture into RGB of canvas size, with every colour tag decided; nearly always libswscale alone.

Missing tags are decided in `shape`: no matrix means the matrix of the primaries, or BT.709 from 720
lines on and BT.601 below, no range means limited (full for the yuvj formats, for grey and for RGB).
"""

import av
import numpy as np
from av.filter import Graph

from sdstream.config.schema import Canvas
from sdstream.config.sources import PictureSettings
from sdstream.frame import Pixels
from sdstream.log import get_logger
from sdstream.sources.decoding.colour.coding import SCALER_MATRICES
from sdstream.sources.decoding.conversion import conversion
from sdstream.sources.decoding.geometry import Layout, lay_out
from sdstream.sources.decoding.shape import Shape

_UNSPECIFIED = 2


class Converter:
    """Converts decoded frames to a canvas; keeps the filter graph until the shape changes."""

    def __init__(self, canvas: Canvas, settings: PictureSettings | None = None) -> None:
        self._canvas = canvas
        self._settings = settings or PictureSettings()
        self._shape: Shape | None = None
        self._graph: Graph | None = None
        self._shown: av.VideoFrame | None = None  # owns the memory of the pixels handed out last
        self._told: dict[str, str] = {}
        colour = int(self._settings.background[1:], 16)
        background = np.array([colour >> 16, colour >> 8 & 255, colour & 255])
        self._behind = np.rint((255 - np.arange(256))[:, None] * background / 255).astype(np.uint8)[None]  # by alpha

    def convert(self, frame: av.VideoFrame, shape: Shape) -> Pixels:
        """Return `frame` at canvas size; valid until the next call. Raises ValueError for an unusable shape."""
        if shape != self._shape or self._graph is None:
            self._graph = conversion(shape, self._canvas, self.layout(shape), self._settings)
            self._shape = shape
            self._tell(shape)
        frame.pts = 0  # the graph needs no time, and must not see time run backwards
        if shape.matrix not in SCALER_MATRICES:
            frame.colorspace = _UNSPECIFIED  # the scale filter refuses a matrix that it does not know
        self._graph.vpush(frame)
        self._shown = self._graph.vpull()
        pixels = rgb_view(self._shown)
        return pixels if pixels.shape[2] == 3 else self._on_background(pixels)

    def layout(self, shape: Shape) -> Layout:
        """Return how pictures of this shape lie on the canvas."""
        size = (self._canvas.width, self._canvas.height)
        return lay_out((shape.width, shape.height), size, self._canvas.fit, shape.aspect, shape.turns)

    def _on_background(self, pixels: Pixels) -> Pixels:
        """Add the background to (height, width, 4) with colours multiplied by alpha."""
        import cv2

        behind = cv2.LUT(cv2.cvtColor(pixels[:, :, 3], cv2.COLOR_GRAY2RGB), self._behind)
        shown: Pixels = cv2.add(cv2.cvtColor(pixels, cv2.COLOR_RGBA2RGB), behind)
        return shown

    def _tell(self, shape: Shape) -> None:
        """Log once what a viewer would wonder about."""
        doubts = shape.doubts(self._settings)
        if doubts and doubts != self._told:
            get_logger().warning("the source's colour tags are unusual; `source.matrix` overrides them", **doubts)
            self._told = doubts
        coding = shape.coding(self._settings)
        if coding.hdr and self._told.get("hdr") != coding.notes:
            shown = "tone-mapped" if coding.tone_map else "as it is"
            get_logger().warning(
                "the source is HDR, the canvas is not", hdr=coding.notes, shown=shown, white_nits=coding.white
            )
            self._told = {**self._told, "hdr": coding.notes}


def rgb_view(frame: av.VideoFrame) -> Pixels:
    """Return the pixels of an rgb24 or rgba frame: a view if no line is padded (the usual case), else a copy."""
    plane = frame.planes[0]
    lines = np.frombuffer(memoryview(plane), np.uint8, plane.line_size * frame.height).reshape(
        frame.height, plane.line_size
    )
    channels = len(frame.format.components)
    return np.ascontiguousarray(lines[:, : frame.width * channels]).reshape(frame.height, frame.width, channels)
