"""The last hop of the show: a real OBS takes our RTMP output as a Media Source, and streams on to a Twitch stand-in."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import bars, nginx_rtmp
from tests.harness.daemon import Daemon
from tests.harness.network import Network
from tests.harness.nginx_rtmp import RtmpServer
from tests.harness.obs import Obs
from tests.harness.obs_settings import ObsSettings
from tests.harness.recording import Recording
from tests.harness.wait import until

pytestmark = [pytest.mark.obs, pytest.mark.rtmp, pytest.mark.slow]

SIZE, FPS = (640, 360), 20  # what two cores carry beside OBS's software rendering
TOLERANCE = 3  # of 255
KEY, WRONG_KEY = "live_of_a_test", "live_of_nobody"
SOURCE = "sdstream"
STREAMED = 6.5  # seconds: key frames at 0, 2, 4 and 6


@pytest.fixture(scope="module")
def server(private: Network, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RtmpServer]:
    if reason := nginx_rtmp.missing():
        pytest.skip(reason)
    with nginx_rtmp.rtmp_server(tmp_path_factory.mktemp("nginx"), KEY, private) as running:
        yield running


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the daemon plays, again and again."""
    path = tmp_path_factory.mktemp("clip") / "bars.mkv"
    bars.write(path, SIZE, FPS, range(100))
    return path


@pytest.fixture(scope="module")
def daemon(
    private: Network, server: RtmpServer, clip: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Daemon]:
    config = {
        "version": 1,
        "canvas": {"width": SIZE[0], "height": SIZE[1], "fps": FPS},
        "source": {"kind": "ffmpeg", "url": str(clip), "loop": True},
        "engine": {"kind": "passthrough"},
        "sinks": [{"kind": "ffmpeg", "url": f"{server.open}/show", "bitrate": "2M"}],
    }
    with Daemon(tmp_path_factory.mktemp("daemon"), config, private) as started:
        yield started


@pytest.fixture(scope="module")
def studio(
    private: Network, server: RtmpServer, daemon: Daemon, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Obs]:
    """An OBS that shows the daemon's picture."""
    settings = ObsSettings(*SIZE, FPS, server.keyed, KEY)
    with Obs(private, tmp_path_factory.mktemp("obs"), settings) as started:
        started.add_media_source(SOURCE, f"{server.open}/show")
        until(lambda: shown(started) is not None, 40, f"the daemon's picture in OBS; see {daemon.log}")
        yield started


@pytest.fixture(scope="module")
def recording(studio: Obs, server: RtmpServer) -> Recording:
    """What the stand-in got of a stream from OBS that had the right key."""
    studio.start_stream(KEY)
    until(lambda: studio.streamed() >= STREAMED, 20, f"{STREAMED} s of stream")
    studio.stop_stream()
    return Recording.read(server.recording(KEY))


def shown(studio: Obs) -> int | None:
    """Return the number of the picture that OBS shows."""
    return bars.number(studio.picture(SOURCE))


def test_obs_shows_the_colours_of_the_source(studio: Obs) -> None:
    until(lambda: bars.error(studio.picture(SOURCE)) <= TOLERANCE, 5, "the right colours")


def test_obs_shows_pictures_that_move(studio: Obs) -> None:
    seen: set[int | None] = set()

    def many() -> bool:
        seen.add(shown(studio))
        return len(seen) > 20

    until(many, 10, "more than 20 different pictures")


def test_obs_shows_the_daemon_again_after_it_was_killed_and_restarted(studio: Obs, daemon: Daemon, clip: Path) -> None:
    daemon.kill()
    bars.write(clip, SIZE, FPS, range(1000, 1100))
    daemon.start()
    until(lambda: (shown(studio) or 0) >= 1000, 40, "pictures that only the new daemon has")
    until(lambda: bars.error(studio.picture(SOURCE)) <= TOLERANCE, 5, "the right colours")


def test_obs_streams_on_in_h264_and_aac(recording: Recording) -> None:
    assert (recording.video_codec, recording.audio_codec) == ("h264", "aac")


def test_obs_streams_on_with_a_key_frame_every_two_seconds(recording: Recording) -> None:
    assert recording.key_times[:4] == pytest.approx([0.0, 2.0, 4.0, 6.0], abs=0.002)


def test_obs_streams_on_the_colours_of_the_source(recording: Recording) -> None:
    assert bars.error(recording.pictures[-1]) <= TOLERANCE


def test_obs_streams_on_the_sound_of_the_source(recording: Recording) -> None:
    assert recording.loudest() == pytest.approx(bars.TONE, abs=10)  # less than half a semitone


def test_a_wrong_stream_key_is_refused(studio: Obs, server: RtmpServer) -> None:
    studio.start_stream(WRONG_KEY)
    until(studio.stream_failures, 10, "OBS says that it was sent away")
    assert not studio.request("GetStreamStatus")["outputActive"]
    assert not server.recording(WRONG_KEY).exists()
