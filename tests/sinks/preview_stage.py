"""A preview in a thread of the test: pictures are sent as by a sink's process."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from sdstream.config.schema import Canvas
from sdstream.config.sinks import PreviewSinkSettings
from sdstream.controls import Controls
from sdstream.frame import Frame
from sdstream.ipc.loading import LOADED
from sdstream.sinks import Due
from sdstream.sinks.context import SinkContext
from sdstream.sinks.preview.info import PreviewInfo
from sdstream.sinks.preview.sink import PreviewSink
from tests.sinks.browser import Browser

CANVAS = Canvas(width=64, height=48, fps=30)
RATE = 1 / 60  # of the test's clock: faster than the canvas, so that tests are quick
GET = b"GET /show.mjpeg HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


def grey(level: float) -> np.ndarray:
    return np.full((CANVAS.height, CANVAS.width, 3), round(level), np.uint8)


class Stage:
    """Sends pictures as a sink's process does: each is `lag` ticks younger than the camera's."""

    def __init__(self, lag: int = 0, controls: Controls | None = None) -> None:
        self.lag, self.tick = lag, 0
        self.camera: Frame | None = None
        self.showing, self.restyles, self.loading = "live", True, LOADED
        self.looks: tuple[str, ...] = ()
        self.controls = controls or Controls()

    def info(self) -> PreviewInfo:
        calls = (lambda: self.camera, lambda: self.showing, lambda: self.controls, lambda: self.loading)
        return PreviewInfo(*calls, self.restyles, self.looks)

    def frame(self, tick: int, inverted: bool) -> Frame:
        level = tick % 250
        return Frame(grey(255 - level if inverted else level), tick, tick, float(tick))

    def send(self, sink: PreviewSink) -> None:
        self.tick += 1
        self.camera = self.frame(self.tick, inverted=False)
        made = self.frame(max(1, self.tick - self.lag), inverted=True)
        sink.send(made, np.zeros((1600, 2), np.float32), Due(self.tick))


@contextmanager
def on_air(stage: Stage | None = None, canvas: Canvas = CANVAS, **more: Any) -> Iterator[tuple[Browser, PreviewSink]]:
    """Send pictures to a preview until the end of the block."""
    settings = PreviewSinkSettings(kind="preview", **{"listen": "127.0.0.1:0", "fps": 60, **more})
    stage = stage or Stage()
    over = threading.Event()
    with PreviewSink(settings, SinkContext(canvas, preview=stage.info())) as sink:

        def play() -> None:
            while not over.wait(RATE):
                stage.send(sink)

        player = threading.Thread(target=play)
        player.start()
        try:
            yield Browser(int(sink.facts()["port"])), sink
        finally:
            over.set()
            player.join()


def connections(sink: PreviewSink) -> int:
    return int(sink.facts()["connections"])
