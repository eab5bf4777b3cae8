"""A real OBS Studio without a screen: on a virtual X server, in a network of its own, asked through obs-websocket."""

import base64
import io
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self

import numpy as np
from PIL import Image

from sdstream.frame import Pixels
from tests.harness.network import Network
from tests.harness.obs_settings import NAME, PORT, SCENE, ObsSettings
from tests.harness.programs import running
from tests.harness.wait import until

_PROGRAM = (
    "obs",
    "--multi",
    "--minimize-to-tray",
    "--disable-missing-files-check",
    "--profile",
    NAME,
    "--collection",
    NAME,
)
_SUCCESS = 100
_REPOSITORY = Path(__file__).parents[2]


def missing() -> str | None:
    """Return why OBS cannot be started here, or None when it can."""
    absent = [tool for tool in ("obs", "Xvfb") if shutil.which(tool) is None]
    if absent:
        return f"no {' and no '.join(absent)}: sudo apt install obs-studio obs-plugins xvfb"
    return None


class Refused(Exception):
    """OBS did not do what it was asked to."""


class Obs:
    """One OBS, from a first start to its end. All that it writes stays in `folder`, its log too."""

    def __init__(self, network: Network, folder: Path, settings: ObsSettings) -> None:
        self.settings = settings
        self._network, self._folder = network, folder

    def __enter__(self) -> Self:
        """Start it, and wait until it answers."""
        self.settings.write(self._folder / "config" / "obs-studio")
        with ExitStack() as stack:
            display = stack.enter_context(_screen(self._network, self._folder / "xvfb.log"))
            stack.enter_context(self._program(display))
            self._remote = stack.enter_context(self._remote_control())
            self.version = str(self.request("GetVersion")["obsVersion"])
            self._parts = stack.pop_all()
        return self

    def __exit__(self, *exc: object) -> None:
        """End it, and wait for its end."""
        self._parts.close()

    def request(self, name: str, **data: Any) -> dict[str, Any]:
        """Send one obs-websocket request and return what OBS answers. Raises Refused."""
        stdin, stdout = self._remote.stdin, self._remote.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(json.dumps([name, data]) + "\n")
        stdin.flush()
        line = stdout.readline()
        if not line:
            raise Refused(f"{name}: OBS is gone, or does not answer; see {self._folder}")
        answer = json.loads(line)
        if answer["code"] != _SUCCESS:
            raise Refused(f"{name}: {answer['code']} {answer['comment']}")
        return dict(answer["data"])

    def add_media_source(self, name: str, url: str, **more: Any) -> None:
        """Add a Media Source as a user does: "Local File" off, the URL in, and nothing in "FFmpeg Options".

        An `analyzeduration` shorter than the stream's key frame interval would show the picture sooner, or never:
        OBS takes what tracks it has found by then, and that may be the sound alone.
        """
        settings = {
            "is_local_file": False,
            "input": url,
            "reconnect_delay_sec": 1,
            "buffering_mb": 0,
            "close_when_inactive": False,
            "clear_on_media_end": False,
            **more,
        }
        self.request("CreateInput", sceneName=SCENE, inputName=name, inputKind="ffmpeg_source", inputSettings=settings)

    def add_image(self, name: str, file: Path) -> None:
        """Add an Image source."""
        settings = {"file": str(file)}
        self.request("CreateInput", sceneName=SCENE, inputName=name, inputKind="image_source", inputSettings=settings)

    def picture(self, source: str) -> Pixels | None:
        """Return what `source` shows now, at canvas size, or None while it has shown nothing yet."""
        size = {"imageWidth": self.settings.width, "imageHeight": self.settings.height}
        try:
            answer = self.request("GetSourceScreenshot", sourceName=source, imageFormat="bmp", **size)
        except Refused:
            return None
        _, _, encoded = answer["imageData"].partition(",")
        with Image.open(io.BytesIO(base64.b64decode(encoded))) as image:
            return np.array(image.convert("RGB"))

    def start_stream(self, key: str) -> None:
        """Press "Start Streaming", with `key` in the settings. OBS connects after this has returned."""
        service = self.settings.service(key)
        self.request("SetStreamServiceSettings", streamServiceType="rtmp_custom", streamServiceSettings=service)
        self.request("StartStream")

    def stop_stream(self) -> None:
        """Press "Stop Streaming", and wait until the stream has ended."""
        self.request("StopStream")
        until(lambda: not self.request("GetStreamStatus")["outputActive"], 10, "the end of the stream")

    def streamed(self) -> float:
        """Return the seconds that the present stream has lasted, 0 while there is none."""
        status = self.request("GetStreamStatus")
        return float(status["outputDuration"]) / 1000 if status["outputActive"] else 0.0

    def stream_failures(self) -> int:
        """Return how many streams did not come about. OBS says so nowhere but in its log."""
        said = (self._folder / "obs.log").read_text(errors="replace")
        return len(re.findall(r"\[rtmp stream: .*\] Connection to .* failed", said))

    @contextmanager
    def _program(self, display: str) -> Iterator[subprocess.Popen[bytes]]:
        runtime = self._folder / "runtime"
        runtime.mkdir(mode=0o700)
        environment = os.environ | {
            "HOME": str(self._folder),
            "XDG_CONFIG_HOME": str(self._folder / "config"),
            "XDG_RUNTIME_DIR": str(runtime),
            "DISPLAY": display,
            "QT_QPA_PLATFORM": "xcb",
            "LIBGL_ALWAYS_SOFTWARE": "1",
        }
        command = self._network.command(*_PROGRAM)
        with running(command, self._folder / "obs.log", environment) as program:
            yield program

    @contextmanager
    def _remote_control(self) -> Iterator[subprocess.Popen[str]]:
        command = self._network.command(sys.executable, "-m", "tests.harness.obs_remote", f"ws://127.0.0.1:{PORT}")
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "cwd": _REPOSITORY}
        with running(command, self._folder / "remote.log", **pipes) as program:
            yield program


@contextmanager
def _screen(network: Network, log: Path) -> Iterator[str]:
    """Run an X server on a display that nobody uses, and return its name once it takes clients."""
    reader, writer = os.pipe()
    command = network.command("Xvfb", "-displayfd", str(writer), "-screen", "0", "1280x720x24", "-nolisten", "tcp")
    with os.fdopen(reader) as told, running(command, log, pass_fds=(writer,)):
        os.close(writer)
        number = told.readline().strip()
        assert number, f"Xvfb did not start; see {log}"
        yield f":{number}"
