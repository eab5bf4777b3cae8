"""A show for long: memory, files, threads, shared memory and latency of all its processes keep their level.

`SDSTREAM_SOAK_SECONDS` says for how long: 20 by default, 300 at night, 3600 by hand before a release.
"""

import os
import time
from pathlib import Path
from statistics import median

import psutil
import pytest

from tests.harness.pipeline_run import KEY, PipelineRun, free_port, share_since
from tests.harness.publisher import Publisher

SECONDS = float(os.environ.get("SDSTREAM_SOAK_SECONDS", "20"))
WARM_UP = min(60.0, SECONDS / 4)
"""Seconds until the caches of the libraries are full."""
A_MEGABYTE = 2**20
MEMORY_PER_HOUR = 4 * A_MEGABYTE
NOISE = {"rss": 6 * A_MEGABYTE, "files": 2, "threads": 2, "shm": 0, "latency": 0.05}
"""What a level may move without a slope, in bytes, counts and seconds."""

pytestmark = [pytest.mark.soak, pytest.mark.slow, pytest.mark.timeout(SECONDS + 120)]


def sample(show: PipelineRun) -> dict[str, float]:
    """Return the levels of the run now, over the test's process and all stages."""
    found = {"rss": 0.0, "files": 0.0, "threads": 0.0}
    for process in (psutil.Process(), *(psutil.Process(pid) for pid in show.pipeline.pids().values())):
        with process.oneshot():
            found["rss"] += process.memory_info().rss
            found["files"] += process.num_fds()
            found["threads"] += process.num_threads()
    shm = Path("/dev/shm")
    mine = sum(file.is_file() and file.owner() == psutil.Process().username() for file in shm.iterdir())
    return {**found, "shm": mine, "latency": show.sink().latency["p50"] or 0.0}


def slope(samples: list[dict[str, float]], name: str) -> float:
    """Return the growth of a level from the first third to the last third of the samples, by medians."""
    third = len(samples) // 3
    first, last = samples[:third], samples[-third:]
    return median(one[name] for one in last) - median(one[name] for one in first)


def test_a_long_show_keeps_its_level(monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    source = {"kind": "rtmp", "listen": f"127.0.0.1:{port}", "key": KEY}
    preview = {"kind": "preview", "listen": "127.0.0.1:0"}
    url = f"rtmp://127.0.0.1:{port}/live/{KEY}"
    with PipelineRun(source, {"kind": "discard"}, preview) as show, Publisher(url, "--seconds", f"{SECONDS + 300:g}"):
        show.showing("live", seconds=40)
        time.sleep(WARM_UP)
        before, samples, until = show.sink(), [], time.monotonic() + SECONDS
        while time.monotonic() < until:
            samples.append(sample(show))
            time.sleep(max(0.5, SECONDS / 400))
        after = show.sink()
    grown = {name: slope(samples, name) for name in NOISE}
    bounds = NOISE | {"rss": NOISE["rss"] + MEMORY_PER_HOUR * SECONDS / 3600}
    too_large = {name: growth for name, growth in grown.items() if growth > bounds[name]}
    assert too_large == {}, f"from {samples[0]}"
    assert share_since(before, after) >= 0.99
