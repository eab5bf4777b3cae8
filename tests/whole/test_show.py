"""The main job, whole: real footage by RTMP and by NDI, restyled by a diffusion model, out by NDI and RTMP at one rate.

The virtual camera has a test of its own (tests/vm): it needs a kernel module.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from tests.harness import ndi, network, nginx_rtmp
from tests.harness.daemon import Daemon
from tests.harness.network import Network
from tests.harness.standstill_watch import StandstillWatch
from tests.harness.wait import until

pytestmark = [pytest.mark.slow, pytest.mark.ndi, pytest.mark.rtmp]
KEY = "k3y-of-a-show"
CANVAS = {"width": 320, "height": 180, "fps": 25}
PASSTHROUGH = {"version": 1, "canvas": CANVAS, "engine": {"kind": "passthrough"}}


@pytest.fixture
def private() -> Iterator[Network]:
    if reason := ndi.missing() or nginx_rtmp.missing():
        pytest.skip(reason)
    with network.private_network() as made:
        yield made


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.engine.tiny_model import make_tiny_model

    return make_tiny_model(tmp_path_factory.mktemp("model"))


def colours(path: Path) -> list[np.ndarray]:
    """Return the mean colour of every picture of a recording."""
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24").mean((0, 1)) for frame in container.decode(video=0)]


@pytest.mark.timeout(240)
@pytest.mark.parametrize("way", ["rtmp", "ndi"])
def test_real_footage_is_restyled_and_every_output_keeps_the_rate(
    way: str, private: Network, model: Path, clips: Path, tmp_path: Path
) -> None:
    listening = {"kind": "rtmp", "listen": "127.0.0.1:1936", "key": KEY}
    sent_by = {
        "rtmp": {"kind": "ffmpeg", "url": f"rtmp://127.0.0.1:1936/live/{KEY}", "preset": "ultrafast"},
        "ndi": {"kind": "ndi", "name": "sdstream footage"},
    }
    taken_by = {"rtmp": listening, "ndi": {"kind": "ndi", "url": f"127.0.0.1:{ndi.SECOND_SENDER}"}}
    footage = {"kind": "ffmpeg", "url": str(clips / "05_cartoon_big_buck_bunny.mp4"), "loop": True}
    engine = {"model": str(model), "width": 64, "height": 64, "device": "cpu"}
    controls = {"steps": [10, 45], "similarity": {"mode": "off"}}
    outputs = [{"kind": "discard"}, {"kind": "ndi", "name": "sdstream show"}]
    folders: dict[str, Path] = {name: tmp_path / name for name in ("server", "publisher", "show")}
    for folder in folders.values():
        folder.mkdir()
    with ExitStack() as parts:
        machine = parts.enter_context(StandstillWatch())
        server = parts.enter_context(nginx_rtmp.rtmp_server(folders["server"], KEY, private))
        outputs.append({"kind": "ffmpeg", "url": f"{server.keyed}/{KEY}", "preset": "ultrafast"})
        config: dict[str, Any] = {"version": 1, "canvas": CANVAS, "engine": engine, "controls": controls}
        config |= {"source": taken_by[way], "sinks": outputs}
        show = Daemon(folders["show"], config, private, "--json")
        publisher = {**PASSTHROUGH, "source": footage, "sinks": [sent_by[way]]}
        with show:
            until(lambda: show.says("kind=ndi"), 60, "the show's own sender is the first one")
            parts.enter_context(Daemon(folders["publisher"], publisher, private))
            until(lambda: show.says("engine loaded") and show.says("source is live"), 90, "everything is there")
            began = server.recording(KEY).stat().st_size
            until(lambda: server.recording(KEY).stat().st_size > began + 4_000_000, 60, "seven seconds of it are sent")
        excused = machine.excused(CANVAS["fps"])
    report = show.report()
    for sink in report["sinks"]:
        assert sink["sent"] >= 0.99 * (sink["due"] - excused) > 100, sink
        assert sink["live"] > 10, sink
    assert report["engine"]["restarts"] == 0
    seen = colours(server.recording(KEY))
    assert max(np.abs(seen[-1] - picture).max() for picture in seen) > 20  # slate, camera, and what the model made
    assert KEY not in show.log.read_text()
