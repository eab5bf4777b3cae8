"""Drives one real sink in a process of its own, as a stage would: colour bars that count, and a tone.

Run as `python -m tests.sinks.sink_sender SETTINGS SECONDS`; the last line that it prints is a JSON object.
"""

import json
import sys
import time
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from sdstream.config.schema import Canvas
from sdstream.config.sinks import AnySink
from sdstream.errors import SdstreamError
from sdstream.frame import SAMPLE_RATE, Frame, Samples
from sdstream.sinks import Due
from sdstream.sinks.context import SinkContext
from sdstream.sinks.registry import open_sink
from tests.harness import bars

CANVAS = Canvas(width=320, height=180, fps=30)
BLOCK = SAMPLE_RATE // 30


def tone(number: int) -> Samples:
    """Return the sound of one tick: a sine on the left, its opposite on the right."""
    at = number * BLOCK + np.arange(BLOCK)
    sine = 0.25 * np.sin(at * 2 * np.pi * bars.TONE / SAMPLE_RATE)
    return np.stack([sine, -sine], 1).astype(np.float32)


def send(settings: dict[str, Any], seconds: float) -> dict[str, Any]:
    """Send at the canvas rate for `seconds`, and tell how it went."""
    told: dict[str, Any] = {"sent": 0, "error": None, "message": "", "connections": 0.0, "on_program": 0.0}
    try:
        with open_sink(TypeAdapter(AnySink).validate_python(settings), SinkContext(CANVAS)) as sink:
            began = time.monotonic()
            for number in range(round(seconds * 30)):
                now = time.monotonic()
                sink.send(Frame(bars.draw(320, 180, number), number, now, now), tone(number), Due(number))
                told["sent"] += 1
                for fact, value in sink.facts().items():
                    told[fact] = max(told[fact], value) if fact in told else value
                time.sleep(max(0.0, began + number / 30 - time.monotonic()))
    except SdstreamError as error:
        told |= {"error": type(error).__name__, "message": str(error)}
    return told


if __name__ == "__main__":
    sys.stdout.write(json.dumps(send(json.loads(sys.argv[1]), float(sys.argv[2]))) + "\n")
