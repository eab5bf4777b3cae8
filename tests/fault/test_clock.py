"""The wall clock jumps by hours under a show, as at a change of daylight saving or by a time server."""

import shutil
import struct
import subprocess
import time
from pathlib import Path

import pytest

from tests.harness.pipeline_run import KEY, PipelineRun, free_port, share_since
from tests.harness.publisher import Publisher

pytestmark = [pytest.mark.fault, pytest.mark.slow]
SOURCE = Path(__file__).with_name("wall_clock.c")
JUMPS = (3600, -7200, 86_400, 0)
"""Seconds of the wall clock from the right time."""


@pytest.fixture
def clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file with the shift of the wall clock, in all processes that start from now on."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler for the library that shifts the clock")
    library, shift = tmp_path / "wall_clock.so", tmp_path / "shift"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", str(library), str(SOURCE)], check=True)
    shift.write_bytes(struct.pack("q", 0))
    monkeypatch.setenv("LD_PRELOAD", str(library))
    monkeypatch.setenv("WALL_CLOCK", str(shift))
    return shift


def test_jumps_of_the_wall_clock_do_not_change_the_show(clock: Path, tmp_path: Path) -> None:
    port = free_port()
    source = {"kind": "rtmp", "listen": f"127.0.0.1:{port}", "key": KEY}
    recording = {"kind": "ffmpeg", "url": str(tmp_path / "show.mkv"), "preset": "ultrafast"}
    url = f"rtmp://127.0.0.1:{port}/live/{KEY}"
    with PipelineRun(source, {"kind": "discard"}, recording) as show, Publisher(url):
        before = show.showing("live", seconds=40).sinks[0]
        with clock.open("r+b") as shift:
            for seconds in JUMPS:
                shift.seek(0)
                shift.write(struct.pack("q", seconds))
                shift.flush()
                time.sleep(2.5)
        after = show.showing("live", seconds=5).sinks[0]
        assert share_since(before, after) >= 0.99
        assert (after.slate, show.report.sinks[1].restarts, show.report.engine.restarts) == (before.slate, 0, 0)
