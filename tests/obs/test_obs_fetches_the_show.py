"""The way back into OBS without a virtual camera: a real OBS fetches the show from us as a Media Source."""

import time
from collections.abc import Iterator

import numpy as np
import pytest

from sdstream.sources import marker
from sdstream.sources.marker import Mark
from tests.harness.daemon import Daemon
from tests.harness.network import Network
from tests.harness.obs import Obs
from tests.harness.obs_settings import ObsSettings
from tests.harness.wait import until

pytestmark = [pytest.mark.obs, pytest.mark.slow]

AGAIN = "reconnect_on_network_error=1"
OPTIONS = {"stream": f"{AGAIN} fflags=nobuffer analyzeduration=300000", "pictures": AGAIN}
"""What docs/outputs.md says for the field "FFmpeg Options"."""
SIZE, FPS = (640, 360), 20  # what two cores carry beside OBS's software rendering


@pytest.fixture(scope="module")
def daemon(private: Network, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    config = {
        "version": 1,
        "canvas": {"width": SIZE[0], "height": SIZE[1], "fps": FPS},
        "source": {"kind": "testsrc"},
        "engine": {"kind": "passthrough"},
        "sinks": [{"kind": "serve", "preset": "ultrafast"}, {"kind": "preview", "fps": FPS}],
    }
    with Daemon(tmp_path_factory.mktemp("daemon"), config, private) as started:
        until(lambda: started.says("stream open for players") and started.says("preview page open"), 40, "on air")
        yield started


@pytest.fixture(scope="module")
def studio(private: Network, daemon: Daemon, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Obs]:
    """An OBS with two Media Sources: one with sound, one of the preview's pictures."""
    with Obs(
        private, tmp_path_factory.mktemp("obs"), ObsSettings(*SIZE, FPS, "rtmp://127.0.0.1/none", "none")
    ) as started:
        for name, address, form in (
            ("stream", "http://127.0.0.1:8401/show.ts", "mpegts"),
            ("pictures", "http://127.0.0.1:8400/show.mjpeg", "mpjpeg"),
        ):
            started.add_media_source(name, address, input_format=form, ffmpeg_options=OPTIONS[name])
        yield started


def mark(studio: Obs, source: str) -> tuple[Mark | None, float]:
    """Return the mark of the picture that OBS shows, and the time before OBS was asked."""
    asked = time.monotonic()
    picture = studio.picture(source)
    return (marker.read(np.ascontiguousarray(picture)) if marker.fits(*picture.shape[1::-1]) else None), asked


@pytest.mark.parametrize("source", ["stream", "pictures"])
def test_obs_shows_pictures_that_move_and_are_young(studio: Obs, source: str) -> None:
    until(lambda: mark(studio, source)[0], 40, "the show in OBS")
    seen: dict[int, float] = {}

    def many() -> bool:
        found, asked = mark(studio, source)
        if found:
            seen.setdefault(found.counter, found.age(asked))
        return len(seen) > 30

    until(many, 30, "more than 30 different pictures")
    latency = float(np.median([*seen.values()][10:]))
    assert latency < (1.5 if source == "stream" else 0.5)  # docs/outputs.md has what an idle machine measures


def test_obs_hears_the_stream(studio: Obs) -> None:
    status = studio.request("GetMediaInputStatus", inputName="stream")
    assert status["mediaState"] == "OBS_MEDIA_STATE_PLAYING"
    assert studio.request("GetInputAudioTracks", inputName="stream")["inputAudioTracks"]["1"]


def test_obs_shows_the_show_again_after_the_daemon_was_restarted(studio: Obs, daemon: Daemon) -> None:
    daemon.kill()
    time.sleep(1)
    daemon.start()
    before = time.monotonic()
    for source in ("stream", "pictures"):

        def young(here: str = source) -> bool:
            found, asked = mark(studio, here)
            return bool(found) and found.age(asked) < asked - before

        until(young, 40, f"{source} of the new daemon in OBS")
