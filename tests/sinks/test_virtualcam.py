"""The virtual camera sink, with a driver that records what the sink sends."""

import sys
from typing import ClassVar

import numpy as np
import pytest

from sdstream.config.schema import Canvas
from sdstream.config.sinks import VirtualcamSinkSettings
from sdstream.errors import Unavailable
from sdstream.frame import Frame
from sdstream.sinks import Due
from sdstream.sinks.context import SinkContext
from sdstream.sinks.virtualcam import VirtualcamSink

pyvirtualcam = pytest.importorskip("pyvirtualcam", reason="needs the virtualcam extra")

CANVAS = Canvas(width=64, height=48, fps=29.97)
SILENCE = np.zeros((0, 2), np.float32)


class Backend:
    """A camera driver that keeps what it gets."""

    opened: ClassVar["list[Backend]"] = []

    def __init__(self, *, width, height, fps, fourcc, device):
        if device == "taken":
            raise RuntimeError("virtual camera output is already in use")
        self.told = (width, height, round(fps, 3), device)
        self.pictures = []
        self.closed = 0
        self.opened.append(self)

    def close(self):
        self.closed += 1

    def send(self, frame):
        self.pictures.append(frame.copy())

    def device(self):
        return "OBS Virtual Camera"

    def native_fourcc(self):
        return None


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch):
    """A system that is not Linux, where pyvirtualcam's own backend is all there is."""
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(pyvirtualcam.camera, "BACKENDS", {"obs": Backend})
    monkeypatch.setattr(Backend, "opened", [])


def sink(device=None):
    return VirtualcamSink(VirtualcamSinkSettings(kind="virtualcam", device=device), SinkContext(CANVAS))


def test_elsewhere_the_driver_gets_size_rate_and_name_and_a_black_picture_at_once():
    with sink("OBS Virtual Camera"):
        (backend,) = Backend.opened
        assert backend.told == (64, 48, 29.97, "OBS Virtual Camera")
        (black,) = backend.pictures
        assert set(black[: 64 * 48]) == {16}
        assert set(black[64 * 48 :]) == {128}
    assert backend.closed == 1


def test_a_picture_is_sent_once_as_i420():
    with sink() as camera:
        for value in (0, 255, 0):
            camera.send(Frame(np.full((48, 64, 3), value, np.uint8), 1, 0.0, 0.0), SILENCE, Due(0))
    assert [int(picture[0]) for picture in Backend.opened[0].pictures] == [16, 16, 235, 16]
    assert {picture.size for picture in Backend.opened[0].pictures} == {64 * 48 * 3 // 2}


def test_a_camera_that_is_taken_is_unavailable_and_the_driver_s_reason_is_kept():
    with pytest.raises(Unavailable, match="already in use; start the camera of OBS once"):
        sink("taken").__enter__()


def test_closing_twice_is_harmless():
    camera = sink()
    with camera:
        pass
    camera.__exit__(None, None, None)
    assert Backend.opened[0].closed == 1
