"""The timeline: times of a source become times of the monotonic clock."""

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdstream.sources.decoding.timeline import Presentation, Timeline

times = st.floats(0, 1e6)
steps = st.lists(st.floats(0, 0.4), min_size=1, max_size=30)


@given(times, times, steps)
def test_the_first_picture_is_now_and_later_ones_keep_their_spacing(now, start, gaps):
    timeline = Timeline()
    assert not timeline.anchored
    begin = timeline.place("picture", start, now)
    assert begin == pytest.approx(now, abs=1e-6)
    assert timeline.anchored
    pts = start
    for gap in gaps:
        pts += gap
        now += 0.05
        placed = timeline.place("picture", pts, now)
    assert placed - begin == pytest.approx(pts - start, abs=1e-6)


@given(times, times, st.floats(-0.5, 0.5))
def test_picture_and_sound_of_the_same_time_stay_together(now, start, lag):
    timeline = Timeline()
    picture = timeline.place("picture", start, now)
    assert timeline.place("sound", start + lag, now + 0.01) - picture == pytest.approx(lag, abs=1e-6)


def test_a_publisher_that_starts_again_is_shown_as_of_now():
    timeline = Timeline()
    timeline.place("picture", 100.0, 1000.0)
    assert timeline.place("picture", 0.0, 1005.0) == pytest.approx(1005.0)


def test_whichever_track_jumps_first_takes_the_other_along():
    timeline = Timeline()
    timeline.place("picture", 100.0, 1000.0)
    timeline.place("sound", 100.0, 1000.0)
    jumped = timeline.place("sound", 0.0, 1005.0)
    late = timeline.place("picture", 100.03, 1005.01)
    joined = timeline.place("picture", 0.1, 1005.2)
    assert late == pytest.approx(1000.03)
    assert joined - jumped == pytest.approx(0.1)


def test_a_restart_after_a_moment_on_air_is_a_jump_as_well():
    timeline = Timeline()
    for number in range(60):
        timeline.place("picture", number / 30, 1000 + number / 30)
    assert timeline.place("picture", 0.0, 1003.0) == pytest.approx(1003.0)


def test_silence_is_no_jump():
    timeline = Timeline()
    timeline.place("picture", 10.0, 1000.0)
    assert timeline.place("picture", 40.0, 1030.0) == pytest.approx(1030.0)


def test_a_leap_ahead_of_the_clock_is_a_jump():
    timeline = Timeline()
    timeline.place("picture", 10.0, 1000.0)
    assert timeline.place("picture", 5000.0, 1000.03) == pytest.approx(1000.03)


@given(steps)
def test_good_presentation_times_are_kept(gaps):
    presentation = Presentation()
    good = list(accumulate(gap + 0.001 for gap in gaps))
    assert [presentation.choose(pts, pts - 0.04) for pts in good] == good


def test_presentation_times_in_disorder_give_way_to_decoding_times():
    presentation = Presentation()
    pts = [0, 3, 2, 4, 1, 7, 6, 8, 5, 11, 10, 12]
    chosen = [presentation.choose(float(time), float(place)) for place, time in enumerate(pts)]
    assert chosen[2:] == [float(place) for place in range(2, 12)]


def test_a_picture_without_times_has_none():
    assert Presentation().choose(None, None) is None
