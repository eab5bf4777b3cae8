"""The source stage: from a file or a server into the mailbox and the sound ring."""

import itertools
import socket
import time

import pytest
from structlog.testing import capture_logs

from sdstream.config.sources import FfmpegSourceSettings, TestsrcSourceSettings
from sdstream.errors import Unavailable
from sdstream.sources.probe import probe
from tests.harness.wait import until
from tests.sources.media import make
from tests.sources.source_stage import running_source

TESTSRC = TestsrcSourceSettings(kind="testsrc")


def file(path, **more):
    return FfmpegSourceSettings(kind="ffmpeg", url=str(path), **more)


def test_pictures_go_to_the_mailbox_numbered_and_timed():
    with running_source(TESTSRC) as source:
        frames = [source.next_frame() for _ in range(5)]
        seqs = [frame.seq for frame in frames]
        assert seqs == sorted(set(seqs))
        assert frames[0].captured <= frames[0].posted <= time.monotonic()
        assert source.state == "live"
        until(lambda: source.latency.total() >= 5, 5, "five latencies")


def test_the_first_picture_is_as_of_now():
    with running_source(TESTSRC) as source:
        frame = source.next_frame()
        assert frame.pts == pytest.approx(frame.captured, abs=0.5)


def test_sound_goes_to_the_ring_unless_it_is_not_wanted():
    with running_source(TESTSRC) as source:
        until(lambda: source.count("frames") > 3, 5, "pictures")
        assert source.ring.span()[1] > 0
    with running_source(TESTSRC.model_copy(update={"audio": False})) as source:
        until(lambda: source.count("frames") > 3, 5, "pictures")
        assert source.ring.span() == (0, 0)


def test_a_file_that_is_not_there_ends_the_stage(tmp_path):
    with running_source(file(tmp_path / "none.mp4")) as source:
        source.ends()
    (failure,) = source.failed
    assert isinstance(failure, Unavailable)
    assert "none.mp4" in str(failure)


def test_a_recording_ends_and_is_not_opened_again(tmp_path):
    with running_source(file(make(tmp_path / "a.mp4", size=(128, 96)))) as source:
        source.waits_for("ended")
        assert source.count("reopens") == 0
        assert source.count("frames") == 12


def test_a_loop_goes_on_without_a_seam(tmp_path):
    with running_source(file(make(tmp_path / "a.mp4", size=(128, 96)), loop=True)) as source:
        frames = [source.next_frame() for _ in range(30)]
        steps = {later.seq - earlier.seq: later.pts - earlier.pts for earlier, later in itertools.pairwise(frames)}
        assert steps[1] == pytest.approx(1 / 30, abs=0.01)
        assert source.count("reopens") == 0


def test_a_server_that_is_not_there_is_tried_again_and_its_secret_is_not_told():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with capture_logs() as logs, running_source(file(f"tcp://user:hidden@127.0.0.1:{port}")) as source:
        until(lambda: source.count("reopens") >= 2, 10, "two more tries")
        assert source.state == "lost"
    assert [log["event"] for log in logs] == ["source is not there yet"]
    assert "hidden" not in str(logs)


def test_a_live_input_that_ends_is_opened_again(tmp_path):
    data = make(tmp_path / "a.ts", size=(128, 96)).read_bytes()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)
        with running_source(file(f"tcp://127.0.0.1:{server.getsockname()[1]}", format="mpegts")) as source:
            for _ in range(2):
                peer, _ = server.accept()
                with peer:
                    peer.sendall(data)
            until(lambda: source.decoded == 24, 10, "both connections' pictures")
            until(lambda: source.count("reopens") >= 1, 10, "another opening")


def test_the_newest_picture_of_a_backlog_is_shown(tmp_path):
    data = make(tmp_path / "a.ts", size=(320, 180), count=60).read_bytes()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)
        with running_source(file(f"tcp://127.0.0.1:{server.getsockname()[1]}", format="mpegts")) as source:
            peer, _ = server.accept()
            with peer:
                peer.sendall(data)
            until(lambda: source.decoded == 60, 10, "all pictures")
            assert source.count("frames") < 60
            assert source.next_mark().counter == 59


def test_a_live_input_that_falls_silent_has_stalled_and_can_go_on(tmp_path):
    data = make(tmp_path / "a.ts", size=(128, 96), count=90).read_bytes()
    half = len(data) // 2 // 188 * 188
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)
        url = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        with running_source(file(url, format="mpegts", stall=0.3)) as source:
            peer, _ = server.accept()
            with peer:
                peer.sendall(data[:half])
                source.waits_for("stalled")
                before = source.count("frames")
                peer.sendall(data[half:])
                until(lambda: source.count("frames") > before, 10, "more pictures")
                assert source.count("stalls") >= 1
                assert source.count("reopens") == 0


def test_probe_tells_what_a_file_is(tmp_path):
    path = make(tmp_path / "a.mkv", size=(128, 96), count=30)
    facts = probe(file(path), 10)
    assert facts["codec"] == "h264"
    assert facts["size"] == "128x96"
    assert facts["colour"] == "bt601 limited (assumed)"
    assert facts["sound"] == "aac, 48000 Hz, stereo"
    assert facts["frames"] == 30
    assert facts["rate"] == pytest.approx(30, rel=0.01)
    assert facts["sound_seconds"] == pytest.approx(1, abs=0.1)
