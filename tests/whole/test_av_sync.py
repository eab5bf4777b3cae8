"""Sound and picture of a real publisher leave together, measured in the received stream or file."""

import os
import sys
import time
from pathlib import Path

import av
import numpy as np
import pytest

from sdstream.frame import SAMPLE_RATE
from sdstream.sources.marker import read
from tests.harness import ndi, network
from tests.harness.daemon import Daemon
from tests.harness.pipeline_run import KEY, PipelineRun, free_port
from tests.harness.programs import running
from tests.harness.publisher import Publisher
from tests.harness.requirements import need
from tests.harness.wait import until

SECONDS = int(os.environ.get("SDSTREAM_AV_SECONDS", "14"))
"""How long each source is on air. That nothing drifts takes a minute to tell: 64, which is too long for every run."""
pytestmark = [pytest.mark.slow, pytest.mark.timeout(100 + 3 * SECONDS)]
FPS = 30  # of the publisher
QUIET = 0.5
TOLERANCE = 0.020


def contents(path: Path) -> tuple[list[tuple[float, float, bool]], list[float]]:
    """Return each new picture's (time in the file, time by its publisher, beep flag), and when each beep sets in.

    A publisher counts its pictures, and stamps each by its number: when it made one, early or late, is no matter.
    """
    pictures: list[tuple[float, float, bool]] = []
    onsets: list[float] = []
    last_counter, last_loud = -1, -1.0
    with av.open(str(path)) as container:
        for packet in container.demux():
            for frame in packet.decode():
                at = float(frame.pts * frame.time_base)
                if isinstance(frame, av.VideoFrame):
                    mark = read(frame.to_ndarray(format="rgb24"))
                    if mark and mark.counter != last_counter:
                        pictures.append((at, mark.counter / FPS, mark.beep))
                        last_counter = mark.counter
                else:
                    for place in np.flatnonzero(np.abs(frame.to_ndarray()[0]) > 0.1):
                        loud = at + place / SAMPLE_RATE
                        if loud - last_loud > QUIET:
                            onsets.append(loud)
                        last_loud = loud
    return pictures, onsets


def offsets(path: Path) -> list[float]:
    """Return by how much each beep comes after the picture that it belongs to (seconds)."""
    pictures, onsets = contents(path)
    beeps = [(at, made) for at, made, beep in pictures if beep]
    found = []
    for onset in onsets:
        at, made = min(beeps, key=lambda beep: abs(beep[0] - onset))
        near = [shown - made for shown, made, _ in pictures if abs(shown - at) < 2]
        if abs(at - onset) < QUIET:
            found.append(round((onset - made) - float(np.median(near)), 4))
    return found


@pytest.mark.rtmp
def test_sound_leaves_with_its_picture_also_after_the_source_restarted(tmp_path: Path) -> None:
    port, out = free_port(), tmp_path / "show.mkv"
    url = f"rtmp://127.0.0.1:{port}/live/{KEY}"
    source = {"kind": "rtmp", "listen": f"127.0.0.1:{port}", "key": KEY}
    with PipelineRun(source, {"kind": "ffmpeg", "url": str(out), "preset": "ultrafast"}) as show:
        show.showing("slate", "ffmpeg")
        for _ in range(2):
            before = show.report.source.frames
            with Publisher(url, f"--seconds={SECONDS + 30}"):
                show.wait(
                    lambda report, before=before: report.source.frames > before + 30 * (SECONDS - 2), SECONDS + 26
                )
    found = offsets(out)
    assert len(found) >= 2 * SECONDS - 12
    first, second = found[SECONDS - 11 : SECONDS - 4], found[-7:]
    assert abs(np.median(first)) <= TOLERANCE, found
    assert abs(np.median(second)) <= TOLERANCE, found


@pytest.mark.ndi
def test_sound_leaves_an_ndi_sender_with_its_picture(tmp_path: Path) -> None:
    """Two daemons in a network of their own: RTMP to NDI, and NDI to a file, by the timecodes that OBS goes by."""
    need(ndi.missing())
    (tmp_path / "first").mkdir()
    (tmp_path / "second").mkdir()
    out = tmp_path / "show.mkv"
    common = {"version": 1, "canvas": {"width": 320, "height": 180}, "engine": {"kind": "passthrough"}}
    listening = {"kind": "rtmp", "listen": "127.0.0.1:1935", "key": KEY}
    first = {**common, "source": listening, "sinks": [{"kind": "ndi"}]}
    file = {"kind": "ffmpeg", "url": str(out), "preset": "ultrafast"}
    second = {**common, "source": {"kind": "ndi", "url": "127.0.0.1:5961"}, "sinks": [file]}
    with network.private_network() as private:
        publisher = private.command(
            sys.executable, "-m", "tests.harness.publisher", f"rtmp://127.0.0.1:1935/live/{KEY}"
        )
        with (
            Daemon(tmp_path / "first", first, private) as sent,
            Daemon(tmp_path / "second", second, private) as kept,
        ):
            until(lambda: sent.says("sink opened"), 30, "the sender is there")
            with running(
                [*publisher, f"--seconds={SECONDS + 30}"], tmp_path / "publisher.log", cwd=Path(__file__).parents[2]
            ):
                until(lambda: kept.says("source is live"), 30, "its picture arrives")
                time.sleep(SECONDS)  # a beep each second: the measurement takes as long as what it measures
    found = offsets(out)
    assert len(found) >= SECONDS - 6
    assert abs(np.median(found[-7:])) <= TOLERANCE, found
