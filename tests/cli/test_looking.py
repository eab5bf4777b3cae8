"""`sinks` lists every kind of sink, and `probe` tells size, rate and codec of a source."""

import json
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from sdstream.cli.probe import _guess
from tests.cli.command_line import Sdstream


def test_sinks_names_every_kind_with_settings_that_can_be_copied(sdstream: Sdstream):
    answer = sdstream("sinks", "--json")
    kinds = [sink["settings"]["kind"] for sink in json.loads(answer.out)["sinks"]]
    assert answer.status == 0
    assert list(dict.fromkeys(kinds)) == ["virtualcam", "ndi", "ffmpeg", "serve", "preview", "discard"]
    assert "libx264: works" in sdstream("sinks").out


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Two seconds of 320x240 at 25 pictures a second, tagged BT.709."""
    file = tmp_path / "clip.mkv"
    with av.open(str(file), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(25))
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for number in range(50):
            picture = np.full((240, 320, 3), number * 4, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(stream.encode(None))
    return file


def test_probe_tells_size_rate_and_codec_of_a_file(sdstream: Sdstream, clip: Path):
    answer = sdstream("probe", str(clip), "--for", "1", "--json")
    facts = json.loads(answer.out)
    assert (answer.status, facts["size"], facts["codec"]) == (0, "320x240", "h264")
    assert facts["rate"] == pytest.approx(25, rel=0.02)
    assert "320x240" in sdstream("probe", str(clip), "--for", "0.5").out


def test_probe_takes_the_source_of_a_configuration(sdstream: Sdstream, tmp_path: Path):
    file = tmp_path / "show.yaml"
    file.write_text("version: 1\nsource: {kind: testsrc, width: 64, height: 48}\nsinks: [{kind: discard}]\n")
    answer = sdstream("probe", str(file), "--for", "0.5", "--json", "--set", "source.fps=20")
    assert json.loads(answer.out)["size"] == "64x48"


def test_probe_of_nothing_ends_with_69_and_hides_the_key(sdstream: Sdstream, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PROBE_KEY", "live_canary")
    answer = sdstream("probe", "rtmp://127.0.0.1:9/app/${PROBE_KEY}", "--for", "0.5")
    assert (answer.status, answer.out) == (69, "")
    assert "127.0.0.1:9" in answer.err
    assert "canary" not in answer.err


@pytest.mark.parametrize(
    ("named", "settings"),
    [
        ("testsrc", {"kind": "testsrc"}),
        ("ndi:STUDIO (Camera 1)", {"kind": "ndi", "name": "STUDIO (Camera 1)"}),
        ("ndi:127.0.0.1:5961", {"kind": "ndi", "url": "127.0.0.1:5961"}),
        ("rtmp://host/app/key", {"kind": "rtmp", "url": "rtmp://host/app/key"}),
        ("/dev/video0", {"kind": "ffmpeg", "url": "/dev/video0", "format": "v4l2"}),
        ("udp://127.0.0.1:9", {"kind": "ffmpeg", "url": "udp://127.0.0.1:9"}),
    ],
)
def test_a_source_is_known_by_how_it_is_written(named: str, settings: dict[str, str]):
    assert _guess(named) == settings
