"""`sdstream demo`: the main job on this machine alone, from a publisher by RTMP to a recording."""

import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from json import dumps
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from sdstream.cli.options import Json, Quiet, Verbose

if TYPE_CHECKING:
    from sdstream.config.schema import Config
    from sdstream.pipeline import Pipeline

CANVAS = "{width: 640, height: 360, fps: 30}"
"""Small enough for publisher, daemon and both encoders to keep up on two old cores."""

PATIENCE = 90.0
"""Seconds until the first restyled picture; the show is as long as was asked for from there."""

_PUBLISHER = f"""
version: 1
canvas: {CANVAS}
source: {{kind: testsrc}}
engine: {{kind: passthrough}}
sinks: [{{kind: ffmpeg, url: "rtmp://127.0.0.1:${{SDSTREAM_DEMO_PORT}}/live/${{SDSTREAM_DEMO_KEY}}"}}]
"""

_SHOW = f"""
version: 1
canvas: {CANVAS}
source: {{kind: rtmp, key: "${{SDSTREAM_DEMO_KEY}}"}}
engine: {{model: mini, width: 256, height: 256}}
controls: {{prompt: "thick oil painting", steps: [28]}}
sinks:
  - {{kind: ffmpeg}}
  - {{kind: ndi, name: sdstream-demo, optional: true}}
  - {{kind: virtualcam, optional: true}}
"""


def demo(
    seconds: Annotated[float, typer.Option("--for", metavar="SECONDS", min=2, help="How long the show is.")] = 20.0,
    output: Annotated[Path | None, typer.Option(help="Where to record it.", show_default="a new file here")] = None,
    json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Show the whole way on this machine: a publisher, RTMP, the bundled model, and a recording; no network."""
    from sdstream import log
    from sdstream.cli.run import finish
    from sdstream.errors import Unavailable
    from sdstream.pipeline import Pipeline
    from sdstream.stage import LogChoice

    logs = LogChoice("debug" if verbose else "error" if quiet else "warning")
    log.configure(logs.level)
    recording = output or Path(time.strftime("sdstream-demo-%Y%m%d-%H%M%S.mkv"))
    environment = {"SDSTREAM_DEMO_KEY": secrets.token_urlsafe(16), "SDSTREAM_DEMO_PORT": str(_free_port())}
    if not quiet:
        print(f"Recording to {recording}.", file=sys.stderr)
    pipeline = Pipeline(_config(recording, environment), logs)
    with _publisher(environment):
        report = pipeline.run(None, _ending(seconds, quiet))
    if not report.source.frames and not report.exit_code:
        raise Unavailable(f"no picture came from the publisher within {PATIENCE:.0f} s; see why: sdstream demo -v")
    finish(report, json)


def _config(recording: Path, environment: dict[str, str]) -> "Config":
    from sdstream.config.load import loads

    overrides = [
        f"source.listen=127.0.0.1:{environment['SDSTREAM_DEMO_PORT']}",
        f"sinks.0.url={dumps(str(recording))}",
    ]
    return loads(_SHOW, "demo", overrides, environment)


def _ending(seconds: float, quiet: bool) -> "Callable[[Pipeline], None]":
    """Return what ends the run `seconds` after its first picture, and tells how it goes until then."""
    from sdstream.cli.run import follow

    tell = follow()
    first: float | None = None

    def each_second(pipeline: "Pipeline") -> None:
        nonlocal first
        report = pipeline.report()
        if first is None and any(sink.live for sink in report.sinks):
            first = report.seconds
        if report.seconds >= (PATIENCE if first is None else first + seconds):
            pipeline.stop()
        if not quiet:
            tell(report)

    return each_second


@contextmanager
def _publisher(environment: dict[str, str]) -> Iterator[None]:
    """Stream the test picture to the daemon, from a process of its own, for as long as the block runs."""
    with TemporaryDirectory(prefix="sdstream-demo-") as folder:
        file = Path(folder) / "publisher.yaml"
        file.write_text(_PUBLISHER, encoding="utf-8")
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


def _free_port() -> int:
    """Return a port of this machine that nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
