"""Runs in the guest: the whole daemon, as its user starts it, shows a test picture on a real v4l2loopback.

FFmpeg reads it back. What a picture must be follows from the number and the time that are burnt into it.
"""

import json
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from sdstream.config.schema import Canvas
from sdstream.config.sinks import VirtualcamSinkSettings
from sdstream.errors import SdstreamError
from sdstream.sinks.context import SinkContext
from sdstream.sinks.virtualcam import VirtualcamSink
from sdstream.sinks.yuv import Yuv420
from sdstream.sources import marker
from sdstream.sources.testsrc import Card
from sdstream.system import v4l2
from tests.harness.wait import until

CAMERA = "/dev/video10"
WIDTH, HEIGHT, FPS = 160, 120, 10
PICTURES = 40
CONFIG = {
    "version": 1,
    "canvas": {"width": WIDTH, "height": HEIGHT, "fps": FPS},
    "source": {"kind": "testsrc"},
    "engine": {"kind": "passthrough"},
    "sinks": [{"kind": "virtualcam", "device": "sdstream"}],
    "air": {"fade": 0, "hold": 10},  # a picture on its way from the slate is neither
}


def expected(mark: marker.Mark) -> bytes:
    """Return the bytes of the test picture that `mark` was read from."""
    pixels = Card(WIDTH, HEIGHT).draw(mark.counter, Fraction(FPS))
    marker.burn(pixels, mark)
    converter = Yuv420(WIDTH, HEIGHT, "i420")
    planes = converter.empty()
    converter.convert(pixels, planes)
    return planes.tobytes()


def seen(data: bytes) -> marker.Mark | None:
    """Read the mark of a picture as it came, from its luma."""
    luma = np.frombuffer(data, np.uint8)[: WIDTH * HEIGHT].reshape(HEIGHT, WIDTH)
    return marker.read(np.repeat(luma[:, :, None], 3, axis=2))


def watch() -> dict[str, Any]:
    """Read the camera as a program of the user would."""
    with av.open(CAMERA, format="v4l2") as container:
        video = container.streams.video[0]
        packets = container.demux(video)
        until(lambda: seen(bytes(next(packets))), 60, "the test picture follows the slate", 0.0)
        pictures, times = [], []
        for _ in range(PICTURES):
            pictures.append(bytes(next(packets)))
            times.append(time.monotonic())
        context = video.codec_context
        told = {"size": [context.width, context.height], "format": context.pix_fmt, "rate": float(video.average_rate)}
    marks = [seen(picture) for picture in pictures]
    return {
        **told,
        "exact": [mark is not None and expected(mark) == data for mark, data in zip(marks, pictures, strict=True)],
        "numbers": [mark.counter if mark else None for mark in marks],
        "measured": (PICTURES - 1) / (times[-1] - times[0]),
    }


def opened_again() -> str:
    """Open the camera as the next program would; return why that fails, or ""."""
    settings = VirtualcamSinkSettings(kind="virtualcam", device=CAMERA)
    try:
        with VirtualcamSink(settings, SinkContext(Canvas(width=320, height=240, fps=FPS))):
            return ""
    except SdstreamError as problem:
        return str(problem)


def main(folder: Path) -> None:
    config, log, told = folder / "run.yaml", folder / "sdstream.log", folder / "report.json"
    config.write_text(json.dumps(CONFIG))  # JSON is YAML
    command = [sys.executable, "-m", "sdstream", "run", str(config), "--json"]
    with log.open("w") as err, told.open("w") as out, subprocess.Popen(command, stdout=out, stderr=err) as daemon:
        try:
            said = ("source is live", "virtual camera open", "engine loaded")
            until(
                lambda: daemon.poll() is not None or all(line in log.read_text() for line in said), 240, "on air", 0.5
            )
            facts = {"held": not v4l2.query(CAMERA).output, "read": watch()}
            asked = time.monotonic()
            daemon.send_signal(signal.SIGTERM)
            facts |= {"status": daemon.wait(60), "took": time.monotonic() - asked}
        finally:
            sys.stderr.write(log.read_text())
            daemon.kill()
    facts |= {"free": v4l2.query(CAMERA).output, "again": opened_again(), "report": json.loads(told.read_text())}
    (folder / "facts.json").write_text(json.dumps(facts))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
