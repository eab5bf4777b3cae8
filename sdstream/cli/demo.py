"""`sdstream demo`: the daemon at work on this machine alone, from a publisher to a page, a recording and a sheet."""

import re
import secrets
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sdstream.cli.options import Json, Quiet, Verbose

if TYPE_CHECKING:
    from sdstream.config.schema import Config
    from sdstream.supervisor.report import Report

CANVAS = "{width: 640, height: 360, fps: 25}"
"""Size and rate of the clip; small enough for the daemon and the encoder to keep up on two old cores."""

_SHOW = f"""
version: 1
canvas: {CANVAS}
source: {{kind: rtmp, key: "${{SDSTREAM_DEMO_KEY}}"}}
engine: {{model: mini, width: 384, height: 224}}
controls: {{steps: [28], transition: 0.8, similarity: {{mode: "off"}}}}
sinks:
  - {{kind: ffmpeg, preset: ultrafast}}
  - {{kind: preview, listen: "127.0.0.1:0"}}
"""
_NDI = "  - {kind: ndi, name: sdstream-demo, optional: true}\n"
_CAMERA = "  - {kind: virtualcam, optional: true}\n"


def demo(
    seconds: Annotated[float, typer.Option("--for", metavar="SECONDS", min=2, help="Length of the show.")] = 20.0,
    output: Annotated[Path | None, typer.Option(help="The file to record to.", show_default="a new file here")] = None,
    json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Show the whole way on this machine: a publisher, RTMP, the bundled model, a page to watch; no network."""
    began = time.monotonic()
    from sdstream import log
    from sdstream.cli.demo_show import Show
    from sdstream.cli.run import finish
    from sdstream.clip import CLIP
    from sdstream.clip.publisher import publisher
    from sdstream.log import LogChoice
    from sdstream.supervisor.pipeline import Pipeline
    from sdstream.supervisor.requirements import require
    from sdstream.system.listening import free_port

    logs = LogChoice("debug" if verbose else "error" if quiet else "warning")
    log.configure(logs.level)
    recording = output or Path(time.strftime("sdstream-demo-%Y%m%d-%H%M%S.mkv"))
    sheet = _sheet_beside(recording)
    key, port = secrets.token_urlsafe(16), str(free_port())
    environment = {"SDSTREAM_DEMO_KEY": key, "SDSTREAM_DEMO_PORT": port}
    config = _config(recording, environment)
    require(config)
    show = Show(seconds, quiet)
    with _nothing_left_after_failure(recording):
        with publisher(CLIP, f"rtmp://127.0.0.1:{port}/live/{key}", logs):
            pipeline = Pipeline(config, logs)
            loaded = time.monotonic() - began
            report = pipeline.run(None, show.each_second)
        _check_restyled(report)
        finish(report, json, _findings(report, loaded, recording, sheet if show.sheet.write(sheet) else None))


@contextmanager
def _nothing_left_after_failure(recording: Path) -> Iterator[None]:
    """Delete what the block has written beside `recording`, and under its name, unless the block ends well."""
    before, well = set(_beside(recording)), False
    try:
        yield
        well = True
    finally:
        if not well:
            for file in set(_beside(recording)) - before:
                file.unlink(missing_ok=True)


def _beside(recording: Path) -> Iterator[Path]:
    """Return the recording, its parts after a restart (`show-2.mkv`), and the sheet, as far as they are there."""
    ours = re.compile(rf"{re.escape(recording.stem)}(-\d+)?({re.escape(recording.suffix)}|\.png)")
    return (file for file in recording.parent.iterdir() if ours.fullmatch(file.name))


def _sheet_beside(recording: Path) -> Path:
    """Return the path of the contact sheet. Raises Unavailable when the sheet or the recording is there already."""
    from sdstream.errors import Unavailable

    sheet = recording.with_suffix(".png")
    for file in (recording, sheet):
        if file.exists():
            raise Unavailable(f"{file} exists and is not overwritten; give the recording a new name: --output FILE.mkv")
    return sheet


def _check_restyled(report: "Report") -> None:
    """Raise Unavailable when no restyled picture came, though the run ended well."""
    from sdstream.cli.demo_show import PATIENCE
    from sdstream.errors import Unavailable

    if report.seconds >= PATIENCE and report.engine.first is None and not report.exit_code:
        missing = "restyled picture" if report.source.frames else "picture from the publisher"
        raise Unavailable(f"there was no {missing} within {PATIENCE:.0f} s; see why: sdstream demo -v")


def _findings(report: "Report", loaded: float, recording: Path, sheet: Path | None) -> dict[str, object]:
    """Return the demo's additions to the report; `loaded` seconds went by before the run began."""
    first = report.engine.first
    return {
        "first_picture": None if first is None else round(loaded + first, 1),
        "recording": str(recording),
        "sheet": None if sheet is None else str(sheet),
    }


def _config(recording: Path, environment: dict[str, str]) -> "Config":
    from sdstream.cli.demo_show import LOOKS
    from sdstream.config.load import loads

    overrides = [
        f"source.listen=127.0.0.1:{environment['SDSTREAM_DEMO_PORT']}",
        f"controls.prompt={dumps(LOOKS[0])}",
        f"sinks.0.url={dumps(str(recording))}",
    ]
    return loads(_SHOW + _more_sinks(), "demo", overrides, environment)


def _more_sinks() -> str:
    """Return further sinks of this machine; `sdstream doctor` tells how to get the missing sinks."""
    from sdstream.errors import Forbidden, Unavailable
    from sdstream.system.ndi_runtime import load_ndi

    found = ""
    for sink, check in ((_NDI, load_ndi), (_CAMERA, _check_camera)):
        try:
            check()
        except (Forbidden, Unavailable):
            continue
        found += sink
    return found


def _check_camera() -> None:
    """Raise Unavailable or Forbidden on Linux without a usable virtual camera; elsewhere only opening can tell."""
    if sys.platform == "linux":
        from sdstream.sinks import loopback

        loopback.choose(None)
