"""The engine's process, in a thread of the test."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from sdstream.config.engine import DiffusionSettings, PassthroughSettings
from sdstream.config.schema import Canvas
from sdstream.config.stabilise import StabiliseSettings
from sdstream.controls import Controls
from sdstream.engine.registry import open_engine
from sdstream.errors import Unavailable
from sdstream.frame import Frame
from sdstream.ipc.context import Context
from sdstream.ipc.counters import Histogram
from sdstream.ipc.live_controls import LiveControls
from sdstream.ipc.live_text import LiveText
from sdstream.ipc.mailbox import Mailbox, MailboxReader, MailboxWriter
from sdstream.ipc.turn import Turn
from sdstream.stages import engine as body
from sdstream.stages.engine import COUNTERS, EnginePorts, run_engine
from sdstream.stages.on_air import CAPACITY, on_air

CANVAS = Canvas(width=32, height=16, fps=30)


class House:
    """An engine's stage whose processes come and go: a context, and mailboxes on both sides."""

    def __init__(self) -> None:
        self.context = Context.alone(*COUNTERS)
        self.on_air = LiveText(CAPACITY)
        self._boxes = Mailbox(32 * 16 * 3, 1), Mailbox(32 * 16 * 3, 1)
        self.camera: MailboxWriter = self._boxes[0].writer()
        self.live: MailboxReader = self._boxes[1].reader(0)

    def close(self) -> None:
        for box in self._boxes:
            box.close()

    def ports(self) -> EnginePorts:
        return EnginePorts(
            camera=self._boxes[0].reader(0),
            output=self._boxes[1].writer(),
            controls=LiveControls(Controls()),
            stabilise=StabiliseSettings(),
            latency=Histogram(),
            on_air=self.on_air,
            turn=Turn(1),
            number=1,
        )

    @contextmanager
    def process(self) -> Iterator[None]:
        """Run a new engine, as a restarted stage does, for as long as the block."""
        self.context = Context("alone", self.context.counters)
        arguments = self.context, PassthroughSettings(kind="passthrough"), CANVAS, self.ports()
        thread = threading.Thread(target=run_engine, args=arguments)
        self.context.counters.set("ready", 0)
        thread.start()
        try:
            while not self.context.counters.get("ready"):
                time.sleep(0.01)
            yield
        finally:
            self.context.stop()
            thread.join(5)

    def show(self, number: int) -> Frame | None:
        now = time.monotonic()
        self.camera.put(Frame(np.full((16, 32, 3), number, np.uint8), number, now, now))
        return self.live.take(5.0)


@pytest.fixture
def house() -> Iterator[House]:
    made = House()
    yield made
    made.close()


def test_a_new_process_does_not_show_what_a_lost_source_left_behind(house: House) -> None:
    with house.process():
        assert house.show(1) is not None
    time.sleep(1.1)
    with house.process():
        assert house.live.take(0.5) is None
        shown = house.show(2)
    assert shown is not None
    assert shown.seq == 2


def test_pictures_that_came_while_it_loaded_are_shown_at_once(house: House) -> None:
    house.camera.put(Frame(np.zeros((16, 32, 3), np.uint8), 7, 0.0, 0.0))
    with house.process():
        shown = house.live.take(5.0)
    assert shown is not None
    assert shown.seq == 7


def test_the_prompt_of_the_shown_picture_is_on_air(house: House) -> None:
    with house.process():
        assert on_air(house.on_air) is None
        assert house.show(1) is not None
        time.sleep(0.1)
        shown = on_air(house.on_air)
    assert shown is not None
    assert (shown.prompt, shown.controls_version) == (Controls().prompt, 1)


def test_dropped_pictures_are_counted_across_restarts(house: House) -> None:
    house.context.counters.set("dropped", 40)  # by processes that are gone
    with house.process():
        assert house.show(1) is not None
    assert house.context.counters.count("dropped") == 40


def test_the_rate_leaves_out_the_time_without_an_engine(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "_STALE", 0.0)
    worked = 0.0
    for _ in range(2):
        with house.process():
            began = time.monotonic()
            assert all(house.show(number) for number in range(3))
            worked += time.monotonic() - began
        time.sleep(0.3)
    counters = house.context.counters
    assert counters.count("steps") == 4
    assert 0 < counters.get("working") <= worked


def test_the_rate_leaves_out_the_time_without_a_source(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "_AWAY", 1.5)
    with house.process():
        for pause in (0.0, 0.0, 1.6, 0.0):
            time.sleep(pause)
            assert house.show(1)
    assert house.context.counters.count("steps") == 2


def test_without_torch_the_diffusion_engine_names_the_extra(monkeypatch) -> None:
    monkeypatch.delitem(sys.modules, "sdstream.engine.diffusion", raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(Unavailable, match=r"torch.*\[diffusion\]"):
        open_engine(DiffusionSettings(), (1280, 720), None)


def test_without_torch_a_region_model_names_the_extra_too(house: House, monkeypatch) -> None:
    for module in ("sdstream.engine.diffusion", "sdstream.engine.people"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(Unavailable, match=r"torch.*\[diffusion\]"):
        run_engine(house.context, DiffusionSettings(segmentation_model="people"), CANVAS, house.ports())
