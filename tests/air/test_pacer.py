"""The pacer: when each picture is due, and what happens to ticks that were missed."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdstream.air.pacer import CATCH_UP, Pacer, samples_in

RATES = st.sampled_from([Fraction(30), Fraction(30000, 1001), Fraction(25), Fraction(60), Fraction(24000, 1001)])


@given(RATES, st.floats(0, 1e6))
def test_ticks_lie_on_the_exact_rate_however_long_the_show(rate: Fraction, epoch: float) -> None:
    pacer = Pacer(rate, epoch, epoch)
    assert pacer.due(10_000_000) - epoch == pytest.approx(float(10_000_000 / rate), rel=1e-9)


@given(RATES, st.floats(0, 100))
def test_a_clock_that_starts_late_agrees_with_one_that_was_there(rate: Fraction, late: float) -> None:
    early, other = Pacer(rate, 5.0, 5.0), Pacer(rate, 5.0, 5.0 + late)
    tick = other.next(5.0 + late)
    assert early.due(tick.index) == tick.at >= 5.0 + late - 1e-9


def test_a_small_delay_is_caught_up_picture_by_picture() -> None:
    pacer = Pacer(Fraction(30), 0.0, 0.0)
    ticks = [pacer.next(0.2) for _ in range(6)]
    assert [tick.index for tick in ticks] == [0, 1, 2, 3, 4, 5]
    assert not any(tick.missed for tick in ticks)


def test_a_long_delay_is_skipped_and_counted() -> None:
    pacer = Pacer(Fraction(30), 0.0, 0.0)
    pacer.next(0.0)
    tick = pacer.next(10.0)
    assert (tick.index, tick.missed) == (300, 299)


@given(RATES, st.lists(st.floats(0, 2 * CATCH_UP), max_size=50))
def test_every_due_picture_is_either_sent_or_counted_as_missed(rate: Fraction, naps: list[float]) -> None:
    pacer, now, sent, missed, last = Pacer(rate, 0.0, 0.0), 0.0, 0, 0, -1
    for nap in naps:
        now += nap
        tick = pacer.next(now)
        now = max(now, tick.at)
        sent, missed, last = sent + 1, missed + tick.missed, tick.index
    assert sent + missed == last + 1


@given(RATES)
def test_sound_blocks_add_up_exactly(rate: Fraction) -> None:
    pictures = rate.numerator
    assert sum(samples_in(index, rate, 48_000) for index in range(pictures)) == 48_000 * rate.denominator
