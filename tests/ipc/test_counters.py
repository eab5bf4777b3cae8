"""Counters and histograms in shared memory."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdstream.ipc.counters import Counters, Histogram


def test_counters_begin_at_zero_and_keep_what_they_are_told() -> None:
    counters = Counters(("frames", "state"))
    counters.add("frames")
    counters.add("frames", 2)
    counters.set("state", 5)
    assert counters.as_dict() == {"frames": 3.0, "state": 5.0}


def test_an_undeclared_name_is_an_error() -> None:
    with pytest.raises(KeyError):
        Counters(("frames",)).add("frame")


def test_an_empty_histogram_has_no_percentiles() -> None:
    assert Histogram().summary() == {"p50": None, "p95": None, "p99": None}


@given(st.lists(st.floats(2e-4, 50), min_size=1, max_size=200), st.integers(1, 100))
def test_a_percentile_is_right_to_within_three_percent(durations: list[float], percent: int) -> None:
    histogram = Histogram()
    for duration in durations:
        histogram.record(duration)
    rank = -(-percent * len(durations) // 100)
    assert histogram.percentile(percent) == pytest.approx(sorted(durations)[rank - 1], rel=0.03)


@given(st.floats(0, 1e9))
def test_any_duration_can_be_recorded(duration: float) -> None:
    histogram = Histogram()
    histogram.record(duration)
    assert histogram.total() == 1
