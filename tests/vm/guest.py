"""Runs in the guest: our sink writes to a real v4l2loopback, FFmpeg reads it in another process; facts go to a file.

One Python process and its forks, because under emulation every start of Python costs seconds.
"""

import json
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from multiprocessing.connection import Connection
from typing import Any

import av
import numpy as np
import pyvirtualcam

from sdstream.config.schema import Canvas
from sdstream.config.sinks import VirtualcamSinkSettings
from sdstream.errors import SdstreamError
from sdstream.frame import Frame
from sdstream.sinks import Due, cameras
from sdstream.sinks.context import SinkContext
from sdstream.sinks.virtualcam import VirtualcamSink
from sdstream.sinks.yuv import Yuv420
from sdstream.system import v4l2

FIRST, SECOND = "/dev/video10", "/dev/video11"
WIDTH, HEIGHT, FPS = 320, 240, 20
SILENCE = np.zeros((0, 2), np.float32)
FORK = multiprocessing.get_context("fork")
RANDOM = np.random.default_rng(0)
PICTURES = [RANDOM.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8) for _ in range(12)]


def sink(device: str | None = "sdstream", width: int = WIDTH, height: int = HEIGHT) -> VirtualcamSink:
    canvas = Canvas(width=width, height=height, fps=FPS)
    return VirtualcamSink(VirtualcamSinkSettings(kind="virtualcam", device=device), SinkContext(canvas))


def planes(picture: np.ndarray) -> bytes:
    converter = Yuv420(WIDTH, HEIGHT, "i420")
    out = converter.empty()
    converter.convert(picture, out)
    return out.tobytes()


def error(open_it: Callable[[], Any]) -> str:
    """Return the name and the text of the error that opening gives, or "" when there is none."""
    try:
        with open_it():
            return ""
    except SdstreamError as problem:
        return f"{type(problem).__name__}: {problem}"


class Reader:
    """A process that reads the first camera as a program of the user would, with FFmpeg."""

    def __init__(self) -> None:
        self._ours, theirs = FORK.Pipe()
        self._process = FORK.Process(target=self._serve, args=(theirs,), daemon=True)
        self._process.start()

    def ask(self, count: int, camera: VirtualcamSink) -> dict[str, Any]:
        """Ask for `count` pictures, and send pictures meanwhile; a reader that is open stays so."""
        self._ours.send(count)
        deadline = time.monotonic() + 60
        number = 0
        while not self._ours.poll(1 / FPS) and time.monotonic() < deadline:
            camera.send(Frame(PICTURES[number % len(PICTURES)], number, 0.0, 0.0), SILENCE, Due(0))
            number += 1
        answer: dict[str, Any] = self._ours.recv() if self._ours.poll() else {"error": "no answer"}
        return answer

    @property
    def pid(self) -> int:
        return self._process.pid

    def stop(self) -> None:
        self._process.kill()
        self._process.join()

    @staticmethod
    def _serve(theirs: Connection) -> None:
        container = None
        while True:
            count = theirs.recv()
            try:
                container = container or av.open(FIRST, format="v4l2")
                video = container.streams.video[0]
                packets = container.demux(video)
                pictures = [bytes(next(packets)) for _ in range(count)]
                context = video.codec_context
                told = {"size": [context.width, context.height], "format": context.pix_fmt}
                theirs.send({**told, "rate": float(video.average_rate), "pictures": pictures})
            except (av.FFmpegError, OSError) as problem:
                theirs.send({"error": str(problem)})


def writer(device: str, ready: Connection) -> None:
    """Be another program that holds a camera with our sink, until killed."""
    with sink(device):
        ready.send("ready")
        signal.pause()


def held(device: str) -> Any:
    """Start such a program, and return it once it writes."""
    ours, theirs = FORK.Pipe()
    process = FORK.Process(target=writer, args=(device, theirs), daemon=True)
    process.start()
    assert ours.poll(60)
    ours.recv()
    return process


def end(process: Any) -> None:
    process.kill()
    process.join()


def byte_exact() -> dict[str, Any]:
    reader = Reader()  # forked before the camera opens: a child that inherits its descriptor would keep it alive
    with sink() as camera:
        device = v4l2.query(FIRST)
        answer = reader.ask(8, camera)
    reader.stop()
    got = answer.pop("pictures", [])
    black = planes(np.zeros_like(PICTURES[0]))
    sent = [black, *(planes(picture) for picture in PICTURES)]
    return {
        **answer,
        "capture": device.capture,
        "first_is_black": got[:1] == [black],
        "known": [data in sent for data in got],
        "distinct": len(set(got)),
    }


def after_close() -> dict[str, Any]:
    with sink() as camera:
        camera.send(Frame(PICTURES[0], 1, 0.0, 0.0), SILENCE, Due(0))
    output = v4l2.query(FIRST).output
    return {"output": output, "again": error(sink)}


def after_another_program() -> dict[str, Any]:
    """A plain pyvirtualcam program leaves the wedge behind on 0.12."""
    with pyvirtualcam.Camera(WIDTH, HEIGHT, FPS, device=FIRST) as camera:
        camera.send(PICTURES[0])
    output = v4l2.query(FIRST).output
    return {"output": output, "ours": error(sink)}


def after_a_kill() -> dict[str, Any]:
    process = held(FIRST)
    output = v4l2.query(FIRST).output
    end(process)
    return {"held": output, "again": error(sink)}


def fight() -> dict[str, Any]:
    process = held(FIRST)
    by_label, by_path = error(sink), error(lambda: sink(FIRST))
    with sink(None) as camera:
        free = camera._camera.device
        listed = [asdict(thing) for thing in cameras.listing()]
    other = held(SECOND)
    nothing = error(lambda: sink(None))
    facts = {
        "by_label": by_label,
        "by_path": by_path,
        "free": free,
        "none_free": nothing,
        "pid": process.pid,
        "listed": listed,
    }
    end(process)
    end(other)
    return facts


def restart_under_a_reader() -> dict[str, Any]:
    reader = Reader()
    with sink() as camera:
        before = reader.ask(4, camera)
    with sink() as camera:
        after = reader.ask(12, camera)
    reader.stop()
    sent = [planes(picture) for picture in (np.zeros_like(PICTURES[0]), *PICTURES)]
    known = [data in sent for data in after.get("pictures", [])]
    return {"before": len(before.get("pictures", [])), "after": sum(known), "error": after.get("error")}


def another_size_under_a_reader() -> dict[str, Any]:
    reader = Reader()
    with sink() as camera:
        reader.ask(4, camera)
    refused = error(lambda: sink(width=160, height=120))
    reader.stop()
    return {"refused": refused, "pid": reader.pid, "again": error(sink)}


def refusals() -> dict[str, Any]:
    facts = {
        "label": error(lambda: sink("nobody")),
        "path": error(lambda: sink("/dev/video77")),
        "no_camera": error(lambda: sink("/dev/null")),
        "too_large": error(lambda: sink(width=1024, height=768)),
        "after_too_large": error(sink),
    }
    os.chmod(FIRST, 0o600)
    os.seteuid(65534)
    facts["forbidden"] = error(sink)
    os.seteuid(0)
    return facts


SCENES = (
    byte_exact,
    after_close,
    after_another_program,
    after_a_kill,
    fight,
    restart_under_a_reader,
    another_size_under_a_reader,
    refusals,
)


def main(result: str) -> None:
    facts: dict[str, Any] = {"devices": v4l2.labels()}
    for scene in SCENES:
        began = time.monotonic()
        facts[scene.__name__] = {**scene(), "seconds": time.monotonic() - began}
        with open(result, "w", encoding="utf-8") as file:  # a scene that hangs leaves those before it
            json.dump(facts, file)


if __name__ == "__main__":
    main(sys.argv[1])
