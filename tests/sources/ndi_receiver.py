"""Runs the NDI source's stage body in a process of its own, and tells the state of the source on request.

Run as `python -m tests.sources.ndi_receiver SETTINGS`; each line that it prints is a JSON object.
"""

import json
import socket
import sys
from typing import Any

import numpy as np

from sdstream import log
from sdstream.config.sources import NdiSourceSettings
from sdstream.sources import marker
from tests.sources.source_stage import RunningSource, running_source


def tell(source: RunningSource) -> dict[str, Any]:
    """Return what has come so far."""
    frame = source.reader.take(0.1)
    mark = marker.read(frame.pixels) if frame else None
    told = {name: source.count(name) for name in ("frames", "stalls", "reopens", "sound_blocks", "width")}
    begin, end = source.ring.span()
    error = None
    if frame is not None and frame.pixels.shape == (180, 320, 3):
        error = int(np.abs(frame.pixels[60, 20].astype(int) - 235).max())  # the white bar of the test card
    return {
        "state": source.state,
        "counter": mark.counter if mark else None,
        "sound": (end - begin) / 48_000,
        "error": error,
        **told,
    }


def main() -> None:
    """Run until standard input ends."""
    log.configure("error")
    settings = json.loads(sys.argv[1])
    if "name" in settings:
        settings["name"] = f"{socket.gethostname().upper()} ({settings['name']})"
    with running_source(NdiSourceSettings(kind="ndi", **settings)) as source:
        for _ in sys.stdin:
            sys.stdout.write(json.dumps(tell(source)) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
