"""Sound and picture of a real publisher leave together, measured in what a server or a file receives."""

import time
from pathlib import Path

import av
import numpy as np
import pytest

from sdstream.frame import SAMPLE_RATE
from sdstream.sources.marker import read
from tests.parts.publisher import Publisher
from tests.parts.show import KEY, Show, free_port

pytestmark = pytest.mark.slow
QUIET = 0.5
TOLERANCE = 0.020


def births(path: Path) -> tuple[list[tuple[float, float, bool]], list[float]]:
    """Return each new picture's (time in the file, time of birth, beep flag), and the time of each beep's onset."""
    pictures: list[tuple[float, float, bool]] = []
    onsets: list[float] = []
    last_counter, last_loud = -1, -1.0
    now = time.monotonic()
    with av.open(str(path)) as container:
        for packet in container.demux():
            for frame in packet.decode():
                at = float(frame.pts * frame.time_base)
                if isinstance(frame, av.VideoFrame):
                    mark = read(frame.to_ndarray(format="rgb24"))
                    if mark and mark.counter != last_counter:
                        pictures.append((at, mark.birth(now), mark.beep))
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
    pictures, onsets = births(path)
    beeps = [(at, birth) for at, birth, beep in pictures if beep]
    found = []
    for onset in onsets:
        at, birth = min(beeps, key=lambda beep: abs(beep[0] - onset))
        near = [shown - born for shown, born, _ in pictures if abs(shown - at) < 2]
        if abs(at - onset) < QUIET:
            found.append((onset - birth) - float(np.median(near)))
    return found


@pytest.mark.rtmp
def test_sound_leaves_with_its_picture_also_after_the_source_restarted(tmp_path: Path) -> None:
    port, out = free_port(), tmp_path / "show.mkv"
    url = f"rtmp://127.0.0.1:{port}/live/{KEY}"
    source = {"kind": "rtmp", "listen": f"127.0.0.1:{port}", "key": KEY}
    with Show(source, {"kind": "ffmpeg", "url": str(out), "preset": "ultrafast"}) as show:
        show.showing("slate", "ffmpeg")
        for _ in range(2):
            before = show.report.source.frames
            with Publisher(url):
                show.wait(lambda report, before=before: report.source.frames > before + 30 * 14, 40)
    found = offsets(out)
    assert len(found) >= 20
    first, second = found[5:12], found[-7:]
    assert abs(np.median(first)) <= TOLERANCE, found
    assert abs(np.median(second)) <= TOLERANCE, found
