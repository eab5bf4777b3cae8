"""The registry gives each kind of settings its sink, and loads a library late."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pydantic import TypeAdapter

from sdstream.config.schema import Canvas
from sdstream.config.sinks import AnySink
from sdstream.errors import Unavailable
from sdstream.frame import Frame
from sdstream.sinks import Due
from sdstream.sinks.context import SinkContext
from sdstream.sinks.registry import open_sink

CANVAS = Canvas(width=64, height=48, fps=30)


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"kind": "discard"}, "DiscardSink"),
        ({"kind": "ndi"}, "NdiSink"),
        ({"kind": "virtualcam"}, "VirtualcamSink"),
        ({"kind": "preview"}, "PreviewSink"),
        ({"kind": "serve"}, "ServeSink"),
        ({"kind": "ffmpeg", "url": "show.mp4"}, "FfmpegSink"),
        ({"kind": "rtmp", "url": "rtmp://a/b/c"}, "FfmpegSink"),
        ({"kind": "srt", "url": "srt://a:1"}, "FfmpegSink"),
        ({"kind": "twitch", "key": "k1"}, "FfmpegSink"),
        ({"kind": "youtube", "key": "k1"}, "FfmpegSink"),
        ({"kind": "file", "path": "show.mp4"}, "FfmpegSink"),
    ],
)
def test_every_kind_of_settings_gets_its_sink(settings, name):
    assert type(open_sink(TypeAdapter(AnySink).validate_python(settings), SinkContext(CANVAS))).__name__ == name


def test_discard_takes_everything_and_tells_nothing():
    with open_sink(TypeAdapter(AnySink).validate_python({"kind": "discard"}), SinkContext(CANVAS)) as sink:
        sink.send(Frame(np.zeros((48, 64, 3), np.uint8), 1, 0.0, 0.0), np.zeros((1600, 2), np.float32), Due(0))
        assert sink.facts() == {}


def test_no_kind_s_library_is_loaded_before_it_is_asked_for():
    code = (
        "import sys, sdstream.sinks.registry; print({'av', 'NDIlib', 'pyvirtualcam', 'cv2', 'h11'} & set(sys.modules))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout == "set()\n"


@pytest.mark.skipif(sys.platform != "linux", reason="v4l2loopback is Linux's")
@pytest.mark.parametrize("wanted", [None, "sdstream", "/dev/video99"])
@pytest.mark.parametrize(
    ("tools", "installed", "way"),
    [
        ((), True, "type: sudo modprobe v4l2loopback devices=2"),
        (("apt-get",), False, "sudo apt-get install v4l2loopback-dkms linux-headers-$(uname -r) && sudo modprobe v4l2"),
        (("pacman",), False, "sudo pacman -S v4l2loopback-dkms linux-headers && sudo modprobe v4l2loopback"),
        ((), False, "install v4l2loopback with the package manager of this system, then: sudo modprobe v4l2loopback"),
    ],
)
def test_a_machine_without_virtual_cameras_is_told_the_whole_way(
    monkeypatch: pytest.MonkeyPatch, wanted: str | None, tools: tuple[str, ...], installed: bool, way: str
):
    from sdstream.sinks import loopback
    from sdstream.system import v4l2

    monkeypatch.setattr(v4l2, "labels", dict)
    monkeypatch.setattr(loopback, "module_installed", lambda: installed)
    monkeypatch.setattr(shutil, "which", lambda program: program if program in tools else None)
    with pytest.raises(Unavailable) as told:
        loopback.choose(wanted)
    assert way in str(told.value)


@pytest.mark.skipif(sys.platform != "linux", reason="v4l2loopback is Linux's")
def test_a_module_loaded_with_other_devices_is_loaded_anew(tmp_path: Path):
    from sdstream.sinks import loopback

    (tmp_path / "module/v4l2loopback").mkdir(parents=True)
    assert loopback.whole_way(tmp_path) == f"sudo modprobe -r v4l2loopback && {loopback.MODPROBE}"


@pytest.mark.skipif(sys.platform != "linux", reason="v4l2loopback is Linux's")
def test_labels_come_in_the_order_of_the_devices_numbers(tmp_path):
    from sdstream.system import v4l2

    for number, label in ((10, "ten"), (9, "nine"), (2, "two")):
        (tmp_path / f"video{number}").mkdir()
        (tmp_path / f"video{number}" / "name").write_text(f"{label}\n")
    assert list(v4l2.labels(tmp_path).items()) == [
        ("/dev/video2", "two"),
        ("/dev/video9", "nine"),
        ("/dev/video10", "ten"),
    ]
