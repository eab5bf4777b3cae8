"""The wall clock jumps by hours under a show, as at a change of daylight saving or by a time server."""

import shutil
import struct
import subprocess
import time
from itertools import pairwise
from pathlib import Path

import av
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
    file = tmp_path / "show.mkv"
    recording = {"kind": "ffmpeg", "url": str(file), "preset": "ultrafast"}
    url = f"rtmp://127.0.0.1:{port}/live/{KEY}"
    with PipelineRun(source, {"kind": "discard"}, recording) as show, Publisher(url):
        show.showing("live", "ffmpeg", seconds=40)
        before = show.showing("live", seconds=40).sinks
        with clock.open("r+b") as shift:
            for seconds in JUMPS:
                shift.seek(0)
                shift.write(struct.pack("q", seconds))
                shift.flush()
                time.sleep(2.5)
        after = show.showing("live", seconds=5).sinks
        assert share_since(before[0], after[0]) >= 0.99
        assert share_since(before[1], after[1]) >= 0.97  # an encoder has less time to spare
        assert [sink.slate for sink in after] == [sink.slate for sink in before]
        assert (after[1].restarts, show.report.engine.restarts) == (0, 0)
    assert _longest_step(file) < 0.5


def _longest_step(file: Path) -> float:
    """Return the longest time from a picture of a recording to the next, in seconds; the order must be right."""
    with av.open(str(file)) as recording:
        times = [float(packet.pts * packet.time_base) for packet in recording.demux(video=0) if packet.pts is not None]
    steps = [later - earlier for earlier, later in pairwise(times)]
    assert min(steps) > 0
    return max(steps)
