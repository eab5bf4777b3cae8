"""The registry gives each kind of settings its sink, and loads a library late."""

import subprocess
import sys

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
        ({"kind": "ffmpeg", "url": "show.mp4"}, "FfmpegSink"),
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
def test_a_machine_without_virtual_cameras_is_told_how_to_load_the_module(monkeypatch):
    from sdstream.sinks import loopback
    from sdstream.system import v4l2

    monkeypatch.setattr(v4l2, "labels", dict)
    with pytest.raises(Unavailable, match="there is no virtual camera; load the module: sudo modprobe v4l2loopback"):
        loopback.choose(None)
    with pytest.raises(Unavailable, match='no virtual camera is labelled "sdstream": there is no video device at all'):
        loopback.choose("sdstream")


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
