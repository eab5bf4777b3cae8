"""A restyled frame is steadied, scaled to the canvas, and keeps the times of its camera frame."""

from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from sdstream.config.engine import PassthroughSettings
from sdstream.config.schema import Canvas
from sdstream.config.stabilise import StabiliseSettings
from sdstream.controls import Controls
from sdstream.engine import DuePrompt, Restyled
from sdstream.frame import Frame, Pixels
from sdstream.stabilise.stabiliser import Stabiliser
from sdstream.stages import finisher as finishing
from sdstream.stages.finisher import Finisher

CANVAS = Canvas(width=96, height=64)
STILL = np.random.default_rng(1).integers(40, 200, (8, 12, 3)).repeat(8, 0).repeat(8, 1).astype(np.uint8)
SMALL = STILL[::2, ::2]


def restyled(seq: int, controls: Controls, pixels: Pixels | None = None, camera: Pixels = SMALL) -> Restyled:
    """A style of another brightness for every other frame, at half the canvas's size."""
    flickering = camera // 2 + np.uint8(30 * (seq % 2))
    frame = Frame(STILL, seq, seq / 30, seq / 30 + 1, seq / 30 + 2)
    styled = flickering if pixels is None else pixels
    return Restyled.of(frame, styled, camera, controls, DuePrompt(controls.prompt))


@pytest.fixture
def finisher() -> Iterator[Finisher]:
    with Finisher(CANVAS, PassthroughSettings(kind="passthrough"), StabiliseSettings(sweeps=8)) as opened:
        yield opened


def shown(finisher: Finisher, numbers: Sequence[int], controls: Controls) -> list[Pixels]:
    return [finisher.finish(restyled(seq, controls), late=False).frame.pixels.copy() for seq in numbers]


def flicker(pictures: list[Pixels]) -> float:
    return float(np.abs(np.diff(np.stack(pictures).astype(float), axis=0)).mean())


def test_without_steadiness_a_picture_of_canvas_size_passes_untouched(finisher) -> None:
    finished = finisher.finish(restyled(1, Controls(), STILL, STILL), late=False)
    assert finished.frame.pixels is STILL
    assert np.isnan(finished.flicker)


def test_without_steadiness_no_camera_picture_is_needed(finisher) -> None:
    nothing = np.empty((0, 0, 3), np.uint8)
    finished = finisher.finish(restyled(1, Controls(), pixels=STILL, camera=nothing), late=False)
    assert np.array_equal(finished.frame.pixels, STILL)


def test_a_picture_keeps_the_times_of_the_frame_that_it_was_made_of(finisher) -> None:
    frame = finisher.finish(restyled(7, Controls()), late=False).frame
    assert (frame.seq, frame.pts, frame.captured, frame.posted) == (7, 7 / 30, 7 / 30 + 1, 7 / 30 + 2)
    assert frame.pixels.shape == (64, 96, 3)


def test_a_skipped_frame_shows_the_last_finished_picture_under_its_own_times(finisher) -> None:
    controls = Controls(steadiness="steady")
    shown(finisher, range(3), controls)
    last = finisher.finish(restyled(3, controls), late=False)
    again = finisher.finish(restyled(4, controls).again(SMALL), late=False)
    assert again.frame.pixels is last.frame.pixels
    assert (again.frame.seq, again.frame.pts) == (4, 4 / 30)
    assert again.flicker == last.flicker


def test_steadiness_takes_the_flicker_out_and_measures_what_is_left(finisher) -> None:
    unsteady = flicker(shown(finisher, range(20), Controls())[5:])
    steadied = flicker(shown(finisher, range(20, 39), Controls(steadiness="steady"))[5:])
    assert steadied < 0.4 * unsteady
    assert 0 < finisher.finish(restyled(39, Controls(steadiness="steady")), late=False).flicker < 15


def test_a_new_prompt_is_a_new_picture_and_is_not_held_back(finisher) -> None:
    shown(finisher, range(10), Controls(steadiness="steady", prompt="oil"))
    first = shown(finisher, [10], Controls(steadiness="steady", prompt="ink"))[0]
    assert (first == shown(finisher, [10], Controls())[0]).all()


def test_the_slider_itself_is_not_a_new_picture(finisher) -> None:
    shown(finisher, range(10), Controls(steadiness=0.7))
    finished = finisher.finish(restyled(10, Controls(steadiness=0.75)), late=False)
    assert np.isfinite(finished.flicker)


@pytest.mark.parametrize("late", [True, False])
def test_a_late_frame_is_no_time_for_experiments(monkeypatch, late: bool) -> None:
    told = []

    class Listening(Stabiliser):
        def __call__(self, camera: Pixels, styled: Pixels, **more: bool) -> Pixels:
            told.append(more["late"])
            return super().__call__(camera, styled, **more)

    monkeypatch.setattr(finishing, "Stabiliser", Listening)
    with Finisher(CANVAS, PassthroughSettings(kind="passthrough"), StabiliseSettings(sweeps=8)) as opened:
        opened.finish(restyled(0, Controls()), late=late)
    assert told == [late]


def test_a_bypass_is_no_cut_of_the_picture_behind_it(finisher) -> None:
    shown(finisher, range(10), Controls(steadiness="steady"))
    finished = finisher.finish(restyled(10, Controls(steadiness="steady", air="bypass")), late=False)
    assert np.isfinite(finished.flicker)
