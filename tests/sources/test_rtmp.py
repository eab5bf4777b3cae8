"""Real publishers, in separate processes, through our RTMP server into the source; and through a foreign server."""

import shutil
import signal
import socket
import subprocess
import time

import pytest

from sdstream.config.sources import RtmpSourceSettings
from sdstream.sources.probe import probe
from sdstream.sources.rtmp_server.chunks import VIDEO
from tests.harness import nginx_rtmp, programs
from tests.harness.publisher import Publisher
from tests.harness.requirements import need
from tests.harness.wait import until
from tests.sources.media import flv_tags, make
from tests.sources.rtmp_server.local_settings import KEY, free_port, listen
from tests.sources.rtmp_server.rtmp_client import Client, media
from tests.sources.source_stage import running_rtmp_server, running_source

_QUICK = {"libsvtav1": {"preset": "12"}, "libvpx-vp9": {"deadline": "realtime"}}
_NGINX = """
load_module {module};
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx.log info;
events {{ worker_connections 64; }}
rtmp {{ server {{ listen 127.0.0.1:{port}; application live {{ live on; }} }} }}
"""


def url(settings, key=KEY):
    return f"rtmp://{settings.listen}/live/{key}"


@pytest.fixture
def settings():
    return listen(stall=0.5)


@pytest.fixture
def source(settings):
    with running_rtmp_server(settings) as server, running_source(settings, server) as source:
        yield source


def test_a_publisher_is_seen_and_heard(settings, source):
    assert source.state == "waiting"
    with Publisher(url(settings)):
        first = source.next_mark()
        until(lambda: source.count("sound_blocks") > 40, 10, "a second of sound")
        assert source.next_mark().counter > first.counter
        assert source.state == "live"
        assert source.count("corrupt_packets") == 0


def test_picture_and_sound_have_one_timeline(settings, source):
    with Publisher(url(settings)):
        until(lambda: source.next_mark().beep, 15, "a beep", every=0)
        frame = source.next_frame()
        begin = round(frame.pts * 48_000) - 9600
        until(lambda: source.ring.span()[1] > begin + 9600, 5, "the sound of that picture")
        loud = [abs(source.ring.read(begin + at, 480)).max() > 0.1 for at in range(0, 9600, 480)]
        assert loud.index(True) * 480 == pytest.approx(9600 - 1600, abs=1600)


def test_a_publisher_without_sound_is_seen(settings, source):
    with Publisher(url(settings), "--no-audio"):
        assert source.next_mark().counter < 60


def test_a_publisher_without_a_picture_is_lost_and_no_busy_loop(settings, source):
    with Publisher(url(settings), "--no-video"):
        source.waits_for("lost")
        reopens = source.count("reopens")
        time.sleep(1)
        assert source.count("reopens") <= reopens + 1


def test_a_publisher_that_is_killed_is_lost_and_the_next_one_is_live(settings, source):
    for round_ in range(3):
        with Publisher(url(settings)) as publisher:
            source.waits_for("live")
            publisher.signal(signal.SIGKILL)
            source.waits_for("lost")
            assert source.count("frames") > round_


def test_a_publisher_that_stops_has_stalled_and_goes_on_when_it_wakes(settings, source):
    with Publisher(url(settings)) as publisher:
        source.waits_for("live")
        publisher.signal(signal.SIGSTOP)
        source.waits_for("stalled")
        publisher.signal(signal.SIGCONT)
        source.waits_for("live")
        assert source.count("reopens") == 0


def test_a_change_of_size_and_rate_in_flight_is_followed(settings, source):
    with Publisher(url(settings), "--change", "1.5,640,480,15"):
        until(lambda: source.count("width") == 640, 20, "the new size")
        assert source.next_frame().pixels.shape == (180, 320, 3)
        assert source.count("reopens") == 0


def test_damaged_packets_cost_pictures_only(settings, source):
    with Publisher(url(settings), "--corrupt", "0.002"):
        until(lambda: source.count("frames") > 30, 20, "pictures")
        damage = sum(source.count(name) for name in ("corrupt_packets", "corrupt_pictures"))
        until(lambda: source.count("frames") > 60 or damage, 20, "more pictures")
        assert source.thread.is_alive()


@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="no ffmpeg: sudo apt install ffmpeg")
def test_the_ffmpeg_program_can_publish_and_hears_when_its_key_is_wrong(settings, source, tmp_path):
    command = ["ffmpeg", "-v", "error", "-re", "-f", "lavfi", "-i", "testsrc2=size=320x180", "-t", "20"]
    codec = ["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-pix_fmt", "yuv420p", "-f", "flv"]
    refused = subprocess.run([*command, *codec, url(settings, "wrong")], capture_output=True, text=True, check=False)
    assert "wrong stream key" in refused.stderr
    assert refused.returncode != 0
    with programs.running([*command, *codec, url(settings)], tmp_path / "ffmpeg.log"):
        assert source.next_frame().pixels.shape == (180, 320, 3)


@pytest.mark.parametrize("codec", ["libx265", "libsvtav1", "libvpx-vp9"])
def test_enhanced_rtmp_brings_newer_codecs(settings, source, tmp_path, codec):
    whole = make(tmp_path / "a.flv", codec=codec, size=(128, 96), count=30, options=_QUICK.get(codec, {})).read_bytes()
    with Client(int(settings.listen.rpartition(":")[2])) as client:
        assert client.publish("live", KEY) == "NetStream.Publish.Start"
        for tag in flv_tags(whole):  # one by one: the server skips what a slow reader cannot take at once
            client.socket.sendall(media(*tag))
        until(lambda: source.decoded >= 20, 15, "pictures")
        assert source.count("sound_blocks") > 20


def test_a_still_screen_stays_while_its_sound_goes_on(settings, source, tmp_path):
    tags = flv_tags(make(tmp_path / "a.flv", count=240, size=(320, 180)).read_bytes())
    with Client(int(settings.listen.rpartition(":")[2])) as client:
        assert client.publish("live", KEY) == "NetStream.Publish.Start"
        began = time.monotonic()
        for kind, stamp, payload in tags:
            time.sleep(max(0.0, began + stamp / 1000 - time.monotonic()))
            if kind != VIDEO or stamp < 1000 or stamp > 4000:
                client.socket.sendall(media(kind, stamp, payload))
            if 1900 < stamp < 4000:
                assert (source.state, source.count("stalls")) == ("live", 0)
            if stamp > 5000:
                break
        still = source.next_frame()
        assert still.captured - still.pts < 0.5
        source.waits_for("stalled")  # the sound has ended too


def test_probe_waits_for_a_publisher_and_tells_what_came(settings):
    with Publisher(url(settings)):
        facts = probe(settings, 3)
    assert (facts["codec"], facts["size"]) == ("h264", "320x180")
    assert facts["sound"] == "aac, 48000 Hz, stereo"


def test_a_server_that_accepts_and_is_mute_does_not_keep_the_stage(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as mute:
        secret = RtmpSourceSettings(kind="rtmp", url=f"rtmp://127.0.0.1:{mute.getsockname()[1]}/live/{KEY}")
        with running_source(secret) as source:
            mute.settimeout(10)
            peer, _ = mute.accept()
            began = time.monotonic()
            source.context.stop()
            source.thread.join(3)
            assert not source.thread.is_alive(), time.monotonic() - began
            peer.close()


@pytest.mark.rtmp
def test_a_publication_is_fetched_from_a_server_and_found_again(tmp_path):
    need(nginx_rtmp.missing())
    port = free_port()
    show = f"rtmp://127.0.0.1:{port}/live/show"
    config = tmp_path / "nginx.conf"
    config.write_text(_NGINX.format(module=nginx_rtmp._MODULE, folder=tmp_path, port=port))
    with programs.running(["nginx", "-c", str(config)], tmp_path / "nginx.out"):
        until((tmp_path / "nginx.pid").exists, 5, "nginx listens")
        with running_source(RtmpSourceSettings(kind="rtmp", url=show, read_timeout=2, stall=0.5)) as source:
            with Publisher(show) as publisher:
                source.waits_for("live", 30)
                publisher.signal(signal.SIGKILL)
                source.waits_for("stalled")
            with Publisher(show):
                source.waits_for("live", 30)


def test_the_backlog_of_a_source_that_comes_late_delays_nothing(settings):
    with running_rtmp_server(settings) as server, Publisher(url(settings)):
        time.sleep(0.7)  # the source is a process, and may begin in the middle of a show
        with running_source(settings, server) as source:
            source.next_frame()
            assert [source.context.counters.get("buffer") for _ in range(20) if source.next_frame()] == [0] * 20
