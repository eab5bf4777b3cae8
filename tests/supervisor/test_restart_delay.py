"""The delay before a restart grows with each failure in a row."""

import itertools

import pytest

from sdstream.supervisor.restart_delay import RESTART_DELAYS, SETTLED, RestartDelay


def test_restarts_in_a_row_wait_longer_and_longer() -> None:
    assert list(RESTART_DELAYS) == sorted(RESTART_DELAYS)
    assert RESTART_DELAYS[0] <= 0.1


@pytest.mark.parametrize(("failures", "seconds"), [*enumerate(RESTART_DELAYS, 1), (100, RESTART_DELAYS[-1])])
def test_a_process_is_due_when_the_delay_of_its_failure_is_over(failures: int, seconds: float) -> None:
    delay = RestartDelay()
    for _ in range(failures):
        delay.failed(1000.0)
    assert not delay.over(1000.0 + seconds - 0.01)
    assert delay.over(1000.0 + seconds + 0.01)


@pytest.mark.parametrize(
    ("ran", "second_delay"), [(SETTLED - 0.1, RESTART_DELAYS[1]), (SETTLED + 0.1, RESTART_DELAYS[0])]
)
def test_a_process_that_ran_for_long_makes_the_delays_begin_anew(ran: float, second_delay: float) -> None:
    delay = RestartDelay()
    delay.failed(0.0)
    delay.started(1.0)
    delay.alive(1.0 + ran)
    delay.failed(20.0)
    due = next(tick for tick in itertools.count() if delay.over(20.0 + tick / 100))
    assert due == pytest.approx(100 * second_delay, abs=1)
