"""`sdstream demo` is the main job, and leaves a recording of it."""

import subprocess
import sys
from pathlib import Path

import av
import psutil
import pytest


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_the_demo_records_what_the_bundled_model_made_of_what_came_by_rtmp(tmp_path: Path):
    recording = tmp_path / "it's a show.mkv"
    command = [sys.executable, "-m", "sdstream", "demo", "--for", "8", "--output", str(recording)]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=150, check=False)
    assert answer.returncode == 0, answer.stderr
    live = next(int(line.split()[4]) for line in answer.stdout.splitlines() if line.startswith("ffmpeg"))
    assert live > 5
    with av.open(str(recording)) as container:
        pictures = [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]
    assert pictures[-1].shape == (360, 640)
    assert len({picture.tobytes() for picture in pictures}) > 30
    left = [process for process in psutil.process_iter(["cmdline"]) if "sdstream-demo" in str(process.info["cmdline"])]
    assert not left
