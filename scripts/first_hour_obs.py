"""The steps of scripts/first_hour with a real OBS: OBS streams to the daemon, and shows the restyled picture again.

OBS and the daemon share a private network; the daemon runs in the bare Debian, and OBS on this machine. Prints a line a
step, and leaves with 1 when a step went wrong; with 77 and the reason when this machine has no OBS.

    python -m scripts.first_hour_obs ROOT    ROOT is the folder of the bare Debian
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from sdstream.clip import CLIP
from sdstream.frame import Pixels
from tests.harness import network, obs
from tests.harness.network import Network
from tests.harness.obs import Obs
from tests.harness.obs_settings import ObsSettings
from tests.harness.programs import running
from tests.harness.wait import until

SERVER, KEY = "rtmp://127.0.0.1:1935/live", "any"  # what `check` says
SHOW = "http://127.0.0.1:8400/show.mjpeg"
OPTIONS = "reconnect_on_network_error=1"  # what docs/outputs.md says for the field "FFmpeg Options"
SIZE, FPS = (640, 360), 20  # what two cores carry beside OBS's software rendering
HOME = "/home/streamer"
LOADING, SHOWN = 240, 60  # seconds at most
USER = ("env", "-i", f"HOME={HOME}", "USER=streamer", "LANG=C.UTF-8", f"PATH={HOME}/.local/bin:/usr/bin:/bin",
        "setpriv", "--reuid", "streamer", "--regid", "streamer", "--clear-groups")  # fmt: skip


def main() -> None:
    """Play the steps."""
    for reason in (obs.missing(), network.missing()):
        if reason:
            print(reason)
            sys.exit(77)
    root = Path(sys.argv[1])
    with tempfile.TemporaryDirectory(prefix="first_hour_obs.") as folder, network.private_network() as private:
        try:
            _play(root, Path(folder), private)
        except AssertionError as wrong:
            print(f"WRONG         OBS: {wrong}; the daemon said:")
            log = root / HOME[1:] / "run.log"
            print(*(f"      | {line}" for line in log.read_text().splitlines()[-15:]), sep="\n")
            sys.exit(1)


def _play(root: Path, folder: Path, private: Network) -> None:
    shell = f"cd {HOME} && exec sdstream run show.yaml"
    command = private.command("chroot", str(root), *USER, "bash", "-c", shell)
    log = root / HOME[1:] / "run.log"
    with (
        running(command, log),
        Obs(private, folder, ObsSettings(*SIZE, FPS, SERVER, KEY)) as studio,
    ):
        studio.add_media_source("camera", "", is_local_file=True, local_file=str(CLIP), looping=True)
        ended = _step(
            "the daemon waits for OBS, and says what to type", lambda: "Stream Key: any" in log.read_text(), 60
        )
        studio.start_stream(KEY)
        ended = _step("OBS in: OBS streams", lambda: studio.streamed() > 2, LOADING)
        _step("OBS in: the daemon has the picture", lambda: "the publisher is here" in log.read_text(), LOADING)
        _step("the picture is restyled", lambda: _status(private).get("restyled"), ended + LOADING - time.monotonic())
        studio.add_media_source("show", SHOW, input_format="mpjpeg", ffmpeg_options=OPTIONS)
        _step("OBS out: OBS shows a moving picture", lambda: _moves(studio), SHOWN)
        _step("OBS out: the picture is not the camera's", lambda: _differs(studio), SHOWN)
        studio.stop_stream()


def _step(name: str, probe: Callable[[], Any], seconds: float) -> float:
    """Wait for `probe`, and print the step; return the monotonic time of the end. Raises AssertionError."""
    began = time.monotonic()
    until(probe, seconds, name, every=0.5)
    print(f"ok    {time.monotonic() - began:4.0f} s  {name}", flush=True)
    return time.monotonic()


def _status(private: Network) -> dict[str, Any]:
    ask = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:8400/status', timeout=5).read().decode())"
    done = subprocess.run(
        private.command(sys.executable, "-c", ask), capture_output=True, text=True, timeout=20, check=False
    )
    return dict(json.loads(done.stdout)) if done.returncode == 0 else {}


def _moves(studio: Obs) -> bool:
    first = studio.picture("show")
    time.sleep(1)
    return first is not None and _difference(first, studio.picture("show")) > 1


def _differs(studio: Obs) -> bool:
    """Tell whether the show is restyled: unlike each picture of the camera in the two seconds before."""
    cameras = []
    for _ in range(8):
        cameras.append(studio.picture("camera"))
        time.sleep(0.25)
    shown = studio.picture("show")
    return shown is not None and min(_difference(camera, shown) for camera in cameras if camera is not None) > 8


def _difference(one: Pixels, other: Pixels | None) -> float:
    """Return the mean difference of two pictures, in grey levels."""
    return 0.0 if other is None else float(np.abs(one.astype(float) - other).mean())


if __name__ == "__main__":
    main()
