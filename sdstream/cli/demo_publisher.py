"""The publisher of the demo: a daemon of its own, in a process of its own, that streams the bundled clip by RTMP."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from json import dumps
from pathlib import Path
from tempfile import TemporaryDirectory

CLIP = Path(__file__).parents[1] / "clip" / "clip.mp4"

_CONFIG = """
version: 1
canvas: {canvas}
source: {{kind: ffmpeg, url: {clip}, loop: true}}
engine: {{kind: passthrough}}
sinks:
  - kind: ffmpeg
    url: "rtmp://127.0.0.1:${{SDSTREAM_DEMO_PORT}}/live/${{SDSTREAM_DEMO_KEY}}"
    preset: ultrafast     # the processor is for the model
    bitrate: 4M
"""


@contextmanager
def publisher(canvas: str, environment: Mapping[str, str]) -> Iterator[None]:
    """Stream the clip, again and again, for as long as the block runs."""
    with TemporaryDirectory(prefix="sdstream-demo-") as folder:
        file = Path(folder) / "publisher.yaml"
        file.write_text(_CONFIG.format(canvas=canvas, clip=dumps(str(CLIP))), encoding="utf-8")
        command = [sys.executable, "-m", "sdstream", "run", str(file), "--quiet"]
        process = subprocess.Popen(command, env=os.environ | environment, stdout=subprocess.DEVNULL)
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
