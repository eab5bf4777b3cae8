"""Makes whole pictures of interlaced pictures, with FFmpeg's bwdif; progressive pictures pass untouched, at no cost."""

from collections.abc import Iterator
from typing import Literal

import av
from av.error import BlockingIOError as NothingYet
from av.error import EOFError as Drained
from av.filter import Graph

Mode = Literal["auto", "on", "off"]

_FIELD_RATE = 40.0  # a canvas of more pictures a second gets a picture for each field
_CALM = 50  # progressive pictures in a row after which the filter is left out again
_SOON = 1.0  # seconds
_Key = tuple[int, int, str, int, int, str]


class Deinterlacer:
    """Takes the pictures of a track in order. An interlaced picture comes out when the next picture is there."""

    def __init__(self, mode: Mode, fps: float) -> None:
        """`fps` is the rate of the canvas: from 50 on, each field becomes a picture."""
        self._mode = mode
        self._output = "send_field" if fps > _FIELD_RATE else "send_frame"
        self._graph: Graph | None = None
        self._key: _Key | None = None
        self._time: float | None = None
        self._progressive = 0

    def take(self, frame: av.VideoFrame) -> list[av.VideoFrame]:
        """Return the pictures that are ready, in order; none, one or two, more after a change of size."""
        interlaced = self._mode == "on" or (self._mode == "auto" and frame.interlaced_frame)
        self._progressive = 0 if interlaced else self._progressive + 1
        if self._graph is None and not interlaced:
            return [frame]
        if self._progressive > _CALM:
            return [*self.drain(), frame]
        key = _key(frame)
        ready = [] if key == self._key and self._follows(frame) else self.drain()
        self._time = frame.time
        if self._graph is None:
            self._graph, self._key = self._build(frame), key
        self._graph.vpush(frame)
        return [*ready, *_pull(self._graph)]

    def drain(self) -> list[av.VideoFrame]:
        """Return the picture that waits for the next picture, and begin anew."""
        graph, self._graph, self._key = self._graph, None, None
        if graph is None:
            return []
        graph.vpush(None)
        return list(_pull(graph))

    def _follows(self, frame: av.VideoFrame) -> bool:
        """Tell whether `frame` comes soon after the last; across a jump the times of fields would be between."""
        return frame.time is None or self._time is None or 0 <= frame.time - self._time < _SOON

    def _build(self, frame: av.VideoFrame) -> Graph:
        base = frame.time_base
        unit = f"{base.numerator}/{base.denominator}" if base else "1/1000000"
        every = "all" if self._mode == "on" else "interlaced"
        graph = Graph()
        graph.threads = 1
        arguments = (
            f"video_size={frame.width}x{frame.height}:pix_fmt={frame.format.name}:time_base={unit}:pixel_aspect=1/1"
            f":colorspace={int(frame.colorspace)}:range={int(frame.color_range)}"
        )
        graph.link_nodes(
            graph.add("buffer", arguments),
            graph.add("bwdif", f"mode={self._output}:parity=auto:deint={every}"),
            graph.add("settb", f"expr={unit}"),  # bwdif counts time in half units
            graph.add("buffersink"),
        ).configure()
        return graph


def _key(frame: av.VideoFrame) -> _Key:
    colour = int(frame.colorspace), int(frame.color_range)
    return (frame.width, frame.height, frame.format.name, *colour, str(frame.time_base))


def _pull(graph: Graph) -> Iterator[av.VideoFrame]:
    while True:
        try:
            yield graph.vpull()
        except (NothingYet, Drained):
            return
