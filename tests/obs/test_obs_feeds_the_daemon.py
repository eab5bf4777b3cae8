"""The first hop: a real OBS streams into our RTMP source, with the URL and the key that the configuration says."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.harness import bars
from tests.harness.daemon import Daemon
from tests.harness.network import Network
from tests.harness.obs import Obs
from tests.harness.obs_settings import ObsSettings
from tests.harness.recording import Recording
from tests.harness.wait import until

pytestmark = [pytest.mark.obs, pytest.mark.slow]

SIZE, FPS = (640, 360), 20  # what two cores carry beside OBS's software rendering
TOLERANCE = 3  # of 255
KEY, WRONG_KEY = "key_of_a_test", "key_of_nobody"
LISTEN = "127.0.0.1:1935"


@pytest.fixture(scope="module")
def studio(private: Network, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Obs]:
    """An OBS whose scene is the colour bars."""
    folder = tmp_path_factory.mktemp("obs")
    image = folder / "bars.png"
    Image.fromarray(bars.draw(*SIZE, 0)).save(image)
    with Obs(private, folder, ObsSettings(*SIZE, FPS, f"rtmp://{LISTEN}/live", KEY)) as started:
        started.add_image("bars", image)
        yield started


@pytest.fixture
def sent(tmp_path: Path) -> Path:
    """The file that the daemon sends to; it is whole when the daemon has ended."""
    return tmp_path / "sent.flv"


@pytest.fixture
def daemon(private: Network, tmp_path: Path, sent: Path) -> Daemon:
    """A daemon that waits for OBS; not started."""
    config = {
        "version": 1,
        "canvas": {"width": SIZE[0], "height": SIZE[1], "fps": FPS},
        "source": {"kind": "rtmp", "listen": LISTEN, "key": KEY},
        "engine": {"kind": "passthrough"},
        "sinks": [{"kind": "ffmpeg", "url": str(sent), "bitrate": "2M", "keyframe_interval": 0.5}],
    }
    return Daemon(tmp_path, config, private)


def colour_errors(sent: Path) -> list[int]:
    """Return the colour error of each key frame that was sent."""
    return [bars.error(picture) for picture in Recording.read(sent).pictures]


def test_the_colours_of_the_scene_go_through(studio: Obs, daemon: Daemon, sent: Path) -> None:
    with daemon:
        until(lambda: daemon.says("sink opened"), 20, "the daemon on air")
        studio.start_stream(KEY)
        until(lambda: studio.streamed() >= 3, 20, "3 s of stream")
        studio.stop_stream()
    assert min(colour_errors(sent)) <= TOLERANCE


def test_a_wrong_key_is_refused_and_the_slate_goes_on(studio: Obs, daemon: Daemon, sent: Path) -> None:
    refused = studio.stream_failures()
    with daemon:
        until(lambda: daemon.says("sink opened"), 20, "the daemon on air")
        studio.start_stream(WRONG_KEY)
        until(lambda: studio.stream_failures() > refused, 10, "OBS says that it was sent away")
        assert not studio.request("GetStreamStatus")["outputActive"]
    assert min(colour_errors(sent)) > TOLERANCE
