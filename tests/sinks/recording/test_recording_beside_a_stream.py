"""A recording beside a stream: a single encoder, and neither end suffers from the other. The server is nginx."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from pydantic import ValidationError

from sdstream.config.outputs import FfmpegSinkSettings
from tests.harness import bars, network, nginx_rtmp
from tests.harness.network import Network
from tests.harness.recording import Recording
from tests.sinks.sink_process import sender

pytestmark = pytest.mark.rtmp

KEY = "live_1_s3cret"


@pytest.fixture
def private() -> Iterator[Network]:
    for reason in (nginx_rtmp.missing(), network.missing()):
        if reason:
            pytest.skip(reason)
    with network.private_network() as made:
        yield made


def settings(record: Path) -> dict[str, Any]:
    url = f"rtmp://127.0.0.1:1935/app/{KEY}"
    return {"kind": "ffmpeg", "url": url, "preset": "superfast", "bitrate": "1M", "record": str(record)}


def packets(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(video=0) if packet.size]


def test_file_and_server_get_the_same_packets(private: Network, tmp_path: Path) -> None:
    file = tmp_path / "show.mp4"
    with nginx_rtmp.rtmp_server(tmp_path, KEY, private) as server:
        with sender(private, 5.0, **settings(file)) as running:
            told = running.told()
        assert told["error"] is None, told
        assert KEY not in told["output"]
        sent, kept = packets(server.recording(KEY)), packets(file)
    assert len(kept) == 150
    assert len(sent) > 60
    assert sent == kept[-len(sent) :]  # the connection begins with a key frame, soon after the file
    recording = Recording.read(file)
    assert max(bars.error(picture) for picture in recording.pictures) <= 3
    assert recording.loudest() == pytest.approx(bars.TONE, abs=2)


def test_the_file_has_no_gap_while_the_server_is_away(private: Network, tmp_path: Path) -> None:
    """The server comes late, goes away in between, and comes back."""
    file, folders = tmp_path / "show.mkv", [tmp_path / "first", tmp_path / "second"]
    with sender(private, 18.0, **settings(file)) as running:
        for folder in folders:
            folder.mkdir()
            time.sleep(2.0)
            with nginx_rtmp.rtmp_server(folder, KEY, private):
                time.sleep(5.0)
        told = running.told()
    assert told["error"] is None, told
    assert told["connects"] >= 2
    assert told["output"].count("the recording goes on") >= 2
    with av.open(str(file)) as container:
        times = [packet.pts * packet.time_base for packet in container.demux(video=0) if packet.pts is not None]
    assert len(times) == 18 * 30
    assert max(np.diff([float(at) for at in times])) < 0.05
    for folder in folders:
        assert len(packets(folder / f"{KEY}.flv")) > 30
        with av.open(str(folder / f"{KEY}.flv")) as container:
            assert next(container.decode(video=0)).key_frame


def test_a_full_disk_ends_the_recording_alone(private: Network, tmp_path: Path) -> None:
    file = tmp_path / "show.mp4"
    (tmp_path / "nginx").mkdir()
    with nginx_rtmp.rtmp_server(tmp_path / "nginx", KEY, private) as server:
        small = Network((*private.prefix, "prlimit", "--fsize=300000", "--"))  # further bytes fail, as on a full disk
        with sender(small, 7.0, **settings(file)) as running:
            told = running.told()
        sent = len(packets(server.recording(KEY)))
    assert told["error"] is None, told
    assert "recording ended; the stream goes on" in told["output"]
    assert told["connected"] == 1.0
    assert sent > 100
    assert 30 <= len(packets(file)) < 100


def test_a_deleted_file_is_told_and_the_stream_goes_on(private: Network, tmp_path: Path) -> None:
    file = tmp_path / "show.mp4"
    with nginx_rtmp.rtmp_server(tmp_path, KEY, private) as server:
        with sender(private, 6.0, **settings(file)) as running:
            threading.Timer(4.0, file.unlink).start()
            told = running.told()
        sent = len(packets(server.recording(KEY)))
    assert told["error"] is None, told
    assert "was deleted during the recording" in told["output"]
    assert sent > 60


@pytest.mark.parametrize(
    ("url", "record"), [("show.mkv", "b.mkv"), ("file:///tmp/a.mkv", "b.mkv"), ("rtmp://a/b/c", "rtmp://a/b/d")]
)
def test_record_is_a_file_beside_a_server(url: str, record: str) -> None:
    with pytest.raises(ValidationError, match="record"):
        FfmpegSinkSettings.model_validate({"kind": "ffmpeg", "url": url, "record": record})
