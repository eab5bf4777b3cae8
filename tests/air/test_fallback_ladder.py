"""The fallback ladder: which picture goes on air at a tick, and how one picture fades into the next."""

import numpy as np
import pytest

from sdstream.air.fallback_ladder import Choice, Ladder, Rung
from sdstream.controls import AirOverride
from sdstream.frame import Frame

SLATE = np.full((4, 4, 3), 10, np.uint8)
LIVE, CAMERA = 200, 100


def frame(value: int, posted: float) -> Frame:
    return Frame(np.full((4, 4, 3), value, np.uint8), 1, posted, posted, posted)


def ladder(fade: float = 0.0) -> Ladder:
    return Ladder(SLATE, hold=0.5, fade=fade)


def test_the_slate_is_shown_before_the_first_picture() -> None:
    choice = ladder().pick(0.0, None, None)
    assert choice.rung is Rung.SLATE
    assert (choice.frame.pixels == 10).all()


def test_a_live_picture_goes_out_at_once() -> None:
    choice = ladder().pick(1.0, frame(LIVE, 1.0), frame(CAMERA, 1.0))
    assert (choice.rung, choice.fresh) == (Rung.LIVE, True)


def test_the_last_live_picture_is_held_until_a_newer_picture_comes() -> None:
    rungs = ladder()
    rungs.pick(1.0, frame(LIVE, 1.0), None)
    choice = rungs.pick(1.4, None, None)
    assert (choice.rung, choice.fresh) == (Rung.HELD, False)
    assert (choice.frame.pixels == LIVE).all()


def test_after_the_hold_the_camera_shows_untouched() -> None:
    rungs = ladder()
    rungs.pick(1.0, frame(LIVE, 1.0), None)
    choice = rungs.pick(1.6, None, frame(CAMERA, 1.6))
    assert choice.rung is Rung.CAMERA
    assert (choice.frame.pixels == CAMERA).all()


def test_the_slate_is_shown_after_the_hold_without_a_camera() -> None:
    rungs = ladder()
    rungs.pick(1.0, frame(LIVE, 1.0), frame(CAMERA, 1.0))
    assert rungs.pick(1.6, None, None).rung is Rung.SLATE


def test_the_first_live_picture_ends_the_fallback() -> None:
    rungs = ladder()
    rungs.pick(1.0, None, None)
    assert rungs.pick(9.0, frame(LIVE, 9.0), frame(CAMERA, 9.0)).rung is Rung.LIVE


def test_an_old_picture_from_before_a_restart_is_not_shown() -> None:
    assert ladder().pick(9.0, frame(LIVE, 1.0), frame(CAMERA, 1.0)).rung is Rung.SLATE


def test_a_slow_engine_is_not_a_dead_one() -> None:
    rungs = ladder()
    times = [(tick / 30, tick % 27 == 0) for tick in range(300)]
    shown = [rungs.pick(now, frame(LIVE, now) if live else None, frame(CAMERA, now)).rung for now, live in times]
    assert Rung.CAMERA not in shown[150:]


def test_a_change_is_faded_and_ends_on_the_new_picture() -> None:
    rungs = ladder(fade=0.2)
    rungs.pick(0.0, None, None)
    values = [
        int(rungs.pick(1.0 + tick / 30, frame(LIVE, 1.0 + tick / 30), None).frame.pixels[0, 0, 0]) for tick in range(8)
    ]
    assert values == sorted(values)
    assert values[0] == 10
    assert 10 < values[3] < LIVE
    assert values[-1] == LIVE


def test_a_fade_that_is_interrupted_goes_on_from_what_was_on_air() -> None:
    rungs = ladder(fade=1.0)
    rungs.pick(0.0, frame(LIVE, 0.0), None)
    before = rungs.pick(1.0, None, frame(CAMERA, 1.0)).frame.pixels[0, 0, 0]
    half = int(rungs.pick(1.5, None, frame(CAMERA, 1.5)).frame.pixels[0, 0, 0])
    after = int(rungs.pick(1.5, frame(LIVE, 1.5), None).frame.pixels[0, 0, 0])
    assert before == LIVE
    assert half == pytest.approx(150, abs=1)
    assert after == half


def test_holding_is_not_a_change_and_is_not_faded() -> None:
    rungs = ladder(fade=10.0)
    rungs.pick(0.0, frame(LIVE, 0.0), None)
    assert (rungs.pick(0.1, None, None).frame.pixels == LIVE).all()


def on_air(fade: float = 0.0) -> Ladder:
    rungs = ladder(fade)
    rungs.pick(1.0, frame(LIVE, 1.0), frame(CAMERA, 1.0))
    return rungs


def value(choice: Choice) -> int:
    return int(choice.frame.pixels[0, 0, 0])


@pytest.mark.parametrize(
    ("air", "rung", "shown"), [("bypass", Rung.BYPASS, CAMERA), ("freeze", Rung.FROZEN, LIVE), ("black", Rung.BLACK, 0)]
)
def test_an_override_cuts_in_with_the_next_picture_and_fades_out(air: AirOverride, rung: Rung, shown: int) -> None:
    rungs = on_air(fade=0.2)
    choice = rungs.pick(1.03, frame(LIVE, 1.03), frame(CAMERA, 1.03), air)
    assert (choice.rung, value(choice), rungs.showing) == (rung, shown, rung)
    back = [value(rungs.pick(now, frame(LIVE, now), frame(CAMERA, now))) for now in (1.1, 1.2, 1.31)]
    assert back[0] == shown
    assert back == sorted(back)
    assert back[-1] == LIVE


def test_a_bypass_shows_each_new_camera_picture() -> None:
    rungs = on_air()
    rungs.pick(1.1, None, frame(90, 1.1), "bypass")
    choice = rungs.pick(1.2, frame(LIVE, 1.2), frame(91, 1.2), "bypass")
    assert (value(choice), choice.fresh) == (91, True)


def test_a_bypass_without_a_camera_shows_the_slate_and_never_a_live_picture() -> None:
    choice = ladder().pick(1.0, frame(LIVE, 1.0), None, "bypass")
    assert (choice.rung, value(choice)) == (Rung.SLATE, 10)


def test_a_bypass_cuts_a_fade_off_that_is_under_way() -> None:
    rungs = on_air(fade=1.0)
    rungs.pick(2.0, None, frame(CAMERA, 2.0))
    assert value(rungs.pick(2.1, None, frame(CAMERA, 2.1), "bypass")) == CAMERA


def test_a_frozen_picture_outlives_its_mailbox_and_every_hold() -> None:
    rungs = on_air()
    picture = frame(LIVE, 1.1)
    rungs.pick(1.1, picture, None, "freeze")
    picture.pixels[:] = 1
    assert value(rungs.pick(99.0, frame(50, 99.0), frame(CAMERA, 99.0), "freeze")) == LIVE


def test_a_freeze_in_a_fade_holds_the_mixture() -> None:
    rungs = on_air(fade=1.0)
    rungs.pick(2.0, None, frame(CAMERA, 2.0))
    half = value(rungs.pick(2.5, None, frame(CAMERA, 2.5), "freeze"))
    assert CAMERA < half < LIVE
    assert value(rungs.pick(9.0, None, frame(CAMERA, 9.0), "freeze")) == half


def test_a_freeze_before_the_first_picture_holds_the_slate() -> None:
    rungs = ladder()
    values = [value(rungs.pick(now, frame(LIVE, now), None, "freeze")) for now in (1.0, 2.0)]
    assert values == [10, 10]


def test_a_freeze_after_black_reveals_nothing() -> None:
    rungs = on_air()
    rungs.pick(1.1, frame(LIVE, 1.1), None, "black")
    assert value(rungs.pick(1.2, frame(LIVE, 1.2), None, "freeze")) == 0
