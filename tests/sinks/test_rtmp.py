"""The RTMP output, recorded by a real server."""

import numpy as np
import pytest

from tests.harness import bars, network, nginx_rtmp
from tests.harness.recording import Recording
from tests.sinks.sink_process import sender

pytestmark = pytest.mark.rtmp

KEY = "live_1_s3cret"
WRONG = "live_2_n0t-it"


@pytest.fixture(scope="module")
def private():
    for reason in (nginx_rtmp.missing(), network.missing()):
        if reason:
            pytest.skip(reason)
    with network.private_network() as made:
        yield made


@pytest.fixture(scope="module")
def server(private, tmp_path_factory):
    with nginx_rtmp.rtmp_server(tmp_path_factory.mktemp("nginx"), KEY, private) as running:
        yield running


def rtmp(url):
    return {"kind": "ffmpeg", "url": url, "preset": "superfast", "bitrate": "1M"}


@pytest.fixture(scope="module")
def recording(private, server):
    with sender(private, 4.5, **rtmp(f"{server.keyed}/{KEY}")) as running:
        told = running.told()
    assert told["error"] is None
    assert KEY not in told["output"]
    return Recording.read(server.recording(KEY))


def test_the_server_gets_the_colours_that_were_sent(recording):
    assert max(bars.error(picture) for picture in recording.pictures) <= 3


def test_the_server_gets_a_key_frame_exactly_every_two_seconds(recording):
    assert np.diff(recording.key_times) == pytest.approx([2.0, 2.0], abs=1e-3)


def test_the_server_gets_aac_with_the_tone_that_was_sent(recording):
    assert (recording.video_codec, recording.audio_codec, recording.sample_rate) == ("h264", "aac", 48_000)
    assert recording.loudest() == pytest.approx(bars.TONE, abs=2)


def test_a_wrong_key_is_lost_and_never_told(private, server):
    with sender(private, 8.0, **rtmp(f"{server.keyed}/{WRONG}")) as running:
        told = running.told()
    assert told["error"] == "Lost"
    assert "/app/***" in told["message"]
    assert "closed the connection when the stream was named: most often a wrong or old stream key" in told["message"]
    assert WRONG not in told["output"]
    assert not server.recording(WRONG).exists()


def test_a_key_that_somebody_else_uses_is_lost(private, server):
    with sender(private, 4.0, **rtmp(f"{server.open}/busy")) as first:
        with sender(private, 0.5, **rtmp(f"{server.open}/other")) as third:
            assert third.told()["error"] is None
        with sender(private, 8.0, **rtmp(f"{server.open}/busy")) as second:
            told = second.told()
        assert told["error"] == "Lost"
        assert "rtmp: Server error: Already publishing; the key is in use" in told["message"]
        assert first.told()["error"] is None
