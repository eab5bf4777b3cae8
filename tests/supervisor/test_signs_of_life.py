"""Signs of life: when a process counts as hung."""

import pytest

from sdstream.ipc.context import BEAT, BEGUN, READY, stage_counters
from sdstream.supervisor.signs_of_life import SignsOfLife

START = 1000.0


def watched(begun: float = 0, ready: float = 0) -> SignsOfLife:
    """Return the signs of a stage whose last beat was at `START`."""
    counters = stage_counters(())
    counters.set(BEAT, START)
    counters.set(BEGUN, begun)
    counters.set(READY, ready)
    signs = SignsOfLife(counters, hang_after=5.0, open_deadline=30.0)
    signs.started(START)
    return signs


def look_every_second(signs: SignsOfLife, seconds: int) -> float | None:
    return [signs.overdue(START + second) for second in range(1, seconds + 1)][-1]


@pytest.mark.parametrize(
    ("begun", "ready", "patience"), [(0, 0, 120), (1, 0, 30), (1, START, 5)], ids=["loading", "opening", "ready"]
)
def test_a_process_hangs_when_it_is_silent_for_longer_than_its_state_allows(begun, ready, patience) -> None:
    assert look_every_second(watched(begun, ready), patience) is None
    assert look_every_second(watched(begun, ready), patience + 1) == pytest.approx(patience + 1)


def test_silence_while_the_supervisor_was_suspended_proves_nothing() -> None:
    signs = watched(1, START)
    assert signs.overdue(START + 3600.0) is None
    assert [signs.overdue(START + 3600.0 + second) for second in range(1, 7)][-1] == pytest.approx(6.0)


def test_a_body_that_has_opened_is_ready() -> None:
    assert (watched(1, 0).ready, watched(1, START).ready) == (False, True)


STATES = pytest.mark.parametrize(("begun", "ready"), [(0, 0), (1, 0), (1, START)], ids=["loading", "opening", "ready"])


@STATES
def test_a_process_that_a_signal_has_stopped_hangs_after_five_seconds_in_every_state(begun, ready) -> None:
    signs = watched(begun, ready)
    assert [signs.overdue(START + second, stopped=True) for second in range(1, 6)] == [None] * 5
    assert signs.overdue(START + 6, stopped=True) == pytest.approx(6.0)


@STATES
def test_a_process_that_goes_on_between_stops_is_slow_and_does_not_hang(begun, ready) -> None:
    signs = watched(begun, ready)
    for tenth in range(1, 50 if ready else 290):
        assert signs.overdue(START + tenth / 10, stopped=tenth % 10 != 0) is None


def test_a_stop_while_the_supervisor_was_stopped_as_well_proves_nothing() -> None:
    signs = watched(0, 0)
    assert signs.overdue(START + 3600.0, stopped=True) is None
    assert signs.overdue(START + 3601.0, stopped=True) is None
