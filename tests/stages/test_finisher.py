"""What an engine gives is steadied, scaled to the canvas, and keeps the times of the frame that it was made of."""

from collections import deque

import numpy as np
import pytest

from sdstream.config.stabilise import StabiliseSettings
from sdstream.controls import Controls
from sdstream.engine import Outcome
from sdstream.engine.passthrough import Passthrough
from sdstream.frame import Frame, Pixels
from sdstream.stabilise.stabiliser import Stabiliser
from sdstream.stages.finisher import Finisher

CANVAS = (96, 64)
STILL = np.random.default_rng(1).integers(40, 200, (8, 12, 3)).repeat(8, 0).repeat(8, 1).astype(np.uint8)


class Flickering(Passthrough):
    """A style that is another brightness at each call, on half the canvas's size, `age` calls late."""

    def __init__(self, age: int = 0) -> None:
        self.last_age = age
        self._waiting: deque[Pixels] = deque(maxlen=age + 1)
        self._calls = 0

    def __call__(self, frame: Pixels, controls: Controls) -> Pixels | None:
        self._calls += 1
        self._waiting.append(frame[::2, ::2] // 2 + np.uint8(30 * (self._calls % 2)))
        ready = len(self._waiting) > self.last_age
        self.last_outcome = Outcome.RENDERED if ready else Outcome.FILLING
        return self._waiting[0] if ready else None


def frame(seq: int) -> Frame:
    return Frame(STILL, seq, seq / 30, seq / 30 + 1, seq / 30 + 2)


@pytest.fixture
def steady():
    with Stabiliser(StabiliseSettings(sweeps=8)) as stabiliser:
        yield stabiliser


def shown(finisher: Finisher, count: int, controls: Controls) -> list[Pixels]:
    return [finisher.restyle(frame(seq), controls, late=False).pixels.copy() for seq in range(count)]


def flicker(pictures: list[Pixels]) -> float:
    return float(np.abs(np.diff(np.stack(pictures).astype(float), axis=0)).mean())


def test_without_steadiness_a_picture_of_canvas_size_passes_untouched(steady) -> None:
    finisher = Finisher(Passthrough(), steady, CANVAS)
    assert finisher.restyle(frame(1), Controls(), late=False).pixels is STILL
    assert np.isnan(finisher.flicker)


def test_a_picture_keeps_the_times_of_the_frame_that_it_was_made_of(steady) -> None:
    finisher = Finisher(Flickering(age=2), steady, CANVAS)
    given = [finisher.restyle(frame(seq), Controls(), late=False) for seq in range(5)]
    assert given[:2] == [None, None]
    assert [picture.seq for picture in given[2:]] == [0, 1, 2]
    assert [picture.pts for picture in given[2:]] == [0, 1 / 30, 2 / 30]
    assert given[2].pixels.shape == (CANVAS[1], CANVAS[0], 3)


def test_steadiness_takes_the_flicker_out_and_measures_what_is_left(steady) -> None:
    unsteady = flicker(shown(Finisher(Flickering(), steady, CANVAS), 20, Controls())[5:])
    finisher = Finisher(Flickering(), steady, CANVAS)
    steadied = flicker(shown(finisher, 20, Controls(steadiness="steady"))[5:])
    assert steadied < 0.4 * unsteady
    assert 0 < finisher.flicker < 15


def test_a_new_prompt_is_a_new_picture_and_is_not_held_back(steady) -> None:
    finisher = Finisher(Flickering(), steady, CANVAS)
    shown(finisher, 10, Controls(steadiness="steady", prompt="oil"))
    plain = shown(Finisher(Flickering(), steady, CANVAS), 1, Controls())[0]
    first = finisher.restyle(frame(10), Controls(steadiness="steady", prompt="ink"), late=False)
    assert (first.pixels == plain).all()


def test_the_slider_itself_is_not_a_new_picture(steady) -> None:
    finisher = Finisher(Flickering(), steady, CANVAS)
    shown(finisher, 10, Controls(steadiness=0.7))
    finisher.restyle(frame(10), Controls(steadiness=0.75), late=False)
    assert np.isfinite(finisher.flicker)
