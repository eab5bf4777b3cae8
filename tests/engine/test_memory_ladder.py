"""The engine runs out of memory: it goes on with less, and raises only when nothing is left to give up."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from structlog.testing import capture_logs

from sdstream.controls import Controls
from sdstream.engine.denoising.stream_batch import StreamBatch
from sdstream.errors import Unavailable
from tests.engine.pixel_engine import ALWAYS, PixelEngine, feed, picture, settings

ONE, TWO, FOUR = (Controls(steps=steps, **ALWAYS) for steps in ((45,), (32, 45), (5, 20, 32, 45)))


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Leave memory for so many denoising stages: a larger batch runs out of memory, as on a GPU."""
    real = StreamBatch.push

    def leave(stages: int) -> None:
        def push(self: StreamBatch, *args: object, **more: object) -> object:
            if self._stages > stages:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
            return real(self, *args, **more)

        monkeypatch.setattr(StreamBatch, "push", push)

    return leave


def test_controls_that_are_too_large_are_left_for_those_that_worked(tiny_model: Path, room: Callable[[int], None]):
    with PixelEngine(settings(tiny_model)) as engine:
        pictures = [picture(number) for number in range(6)]
        before = feed(engine, pictures, TWO)
        room(2)
        with capture_logs() as logs:
            after = feed(engine, pictures, FOUR)
        assert [entry["steps"] for entry in logs if "out of memory" in entry["event"]] == [(32, 45)]
        assert [shown is not None for shown in after] == [False, False, True, True, True, True]
        assert (after[2] == before[2]).mean() > 0.99  # the controls that worked; the frame before is another
        room(4)
        assert feed(engine, pictures, ONE)[-1] is not None
        assert feed(engine, pictures, FOUR)[-1] is not None


def test_an_engine_without_earlier_controls_goes_on_with_a_single_step(tiny_model: Path, room: Callable[[int], None]):
    with PixelEngine(settings(tiny_model)) as engine:
        room(1)
        after = feed(engine, [picture(number) for number in range(3)], FOUR)
        assert [shown is not None for shown in after] == [False, True, True]
        assert engine.last is not None
        assert engine.last.controls.steps == (45,)


def test_memory_that_another_program_takes_costs_a_step_and_then_the_process(
    tiny_model: Path, room: Callable[[int], None]
):
    with PixelEngine(settings(tiny_model)) as engine:
        feed(engine, [picture(0)] * 4, FOUR)
        room(1)
        assert feed(engine, [picture(1)] * 2, FOUR)[-1] is not None
        room(0)
        with pytest.raises(torch.OutOfMemoryError):
            feed(engine, [picture(2)] * 2, FOUR)


def test_a_model_that_does_not_fit_is_refused_with_advice(tiny_model: Path, room: Callable[[int], None]):
    room(0)
    with pytest.raises(Unavailable, match=r"OutOfMemoryError.*set engine.width and engine.height to less"):
        PixelEngine(settings(tiny_model)).__enter__()
