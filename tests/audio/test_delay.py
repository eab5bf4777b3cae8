"""The sound delay: sound stays with its picture, without clicks and without jumps."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdstream.audio.delay import Delay
from sdstream.audio.ring import AudioRing
from sdstream.frame import SAMPLE_RATE
from tests.audio.simulated_show import TONE, SimulatedShow, voice

STEEPEST = 2 * np.pi * TONE / SAMPLE_RATE * 1.005 + 2 * np.pi / 2 / 192
"""Largest step between two samples of the tone: at 0.5 % more speed, amid a cross-fade of 192 samples of two tones."""


def steepest(show: SimulatedShow) -> float:
    return float(np.abs(np.diff(show.sound[:, 0])).max())


def silent_blocks(show: SimulatedShow, seconds: float) -> int:
    return sum(not block.any() for block in show.heard[-round(seconds * show.fps) :])


@settings(max_examples=15, deadline=None)
@given(
    latency=st.floats(0.0, 1.5),
    jitter=st.floats(0.0, 0.05),
    drift=st.floats(-3e-4, 3e-4),
    burst=st.sampled_from([0.0, 0.1, 0.3]),
    fps=st.sampled_from([24, 30, 60, 240]),
    gap=st.floats(0.0, 2.0),
    lateness=st.lists(st.floats(0.0, 0.2), min_size=1, max_size=9),
)
def test_no_click_is_made_whatever_source_pictures_and_clock_do(latency, jitter, drift, burst, fps, gap, lateness):
    show = SimulatedShow(latency=latency, jitter=jitter, drift=drift, burst=burst, fps=fps)
    show.run(3, late=lambda tick: lateness[tick % len(lateness)])
    show.latency = 0.7
    show.run(1)
    show.run(gap, alive=False)
    show.restart(0.1)
    show.run(3)
    assert steepest(show) <= STEEPEST


@settings(max_examples=8, deadline=None)
@given(change=st.floats(0.15, 1.5), longer=st.booleans(), fps=st.sampled_from([24, 30, 60]))
def test_sound_that_is_far_off_jumps_to_its_picture(change, longer, fps):
    show = SimulatedShow(latency=0.2 if longer else 0.2 + change, fps=fps)
    show.run(4)
    show.latency = 0.2 + change if longer else 0.2
    show.run(change + 2)
    show.offsets.clear()
    show.run(2)
    assert abs(float(np.median(show.offsets))) <= 1 / fps + 0.005  # a picture comes a tick sooner or later by chance
    assert silent_blocks(show, 4) == 0


@pytest.mark.parametrize("change", [-0.09, -0.03, 0.03, 0.09])
def test_sound_that_is_a_little_off_slides_to_its_picture(change):
    show = SimulatedShow(latency=0.3)
    show.run(3)
    show.latency += change
    show.run(20)
    assert abs(float(np.median(show.offsets[-60:]))) <= 0.010
    assert silent_blocks(show, 20) == 0


@pytest.mark.parametrize("drift", [1e-4, -1e-4])
@pytest.mark.parametrize("picture_fps", [30.0, 25.0, 8.0])
def test_a_minute_with_drift_and_jitter_ends_within_20_ms_and_without_holes(drift, picture_fps):
    show = SimulatedShow(latency=0.35, jitter=0.01, drift=drift, picture_fps=picture_fps)
    show.run(60)
    last = show.offsets[-round(5 * picture_fps) :]
    assert abs(float(np.median(last))) <= 0.020
    assert silent_blocks(show, 55) == 0
    assert show.delay.offset == pytest.approx(float(np.median(last)), abs=0.012)


@pytest.mark.parametrize("gap", [0.05, 0.6, 3.0])
def test_after_a_restart_with_a_new_timeline_sound_and_picture_meet_again(gap):
    show = SimulatedShow(latency=0.3, jitter=0.005, drift=5e-5)
    show.run(20)
    show.run(gap, alive=False)
    show.restart(0.0)
    show.run(10)
    assert abs(float(np.median(show.offsets[-90:]))) <= 0.020
    assert silent_blocks(show, 8) == 0


def test_a_locked_block_is_a_bit_exact_copy_of_the_source():
    show = SimulatedShow(latency=0.3)
    show.run(5)
    place = show.delay._next
    show.run(2)
    sent = show.sound[-2 * SAMPLE_RATE :]
    assert np.array_equal(sent, voice(place, 2 * SAMPLE_RATE))


def test_no_correction_is_ever_faster_than_half_a_percent():
    show = SimulatedShow(latency=0.3)
    show.run(3)
    show.latency = 0.36
    before = show.delay._next
    show.run(1)
    assert 0.995 * SAMPLE_RATE <= show.delay._next - before < SAMPLE_RATE


def test_pictures_that_are_held_do_not_pull_the_sound_back():
    show = SimulatedShow(latency=0.3)
    show.run(3)
    place = show.delay._next
    show.picture_fps = 0.001  # the engine stops giving pictures; the sound goes on
    show.run(4)
    assert show.delay._next - place == 4 * SAMPLE_RATE
    assert silent_blocks(show, 4) == 0


def test_a_source_that_falls_silent_fades_out_and_comes_back_by_itself():
    show = SimulatedShow(latency=0.3)
    show.run(3)
    show.run(2, alive=False)
    assert silent_blocks(show, 1) == show.fps
    show.run(3)
    assert silent_blocks(show, 1) == 0
    assert steepest(show) <= STEEPEST


def test_sound_that_arrives_later_than_the_picture_leaves_late_but_whole():
    show = SimulatedShow(latency=0.02, burst=0.2)
    show.run(10)
    assert silent_blocks(show, 8) == 0
    assert float(np.median(show.offsets[-60:])) == pytest.approx(show.delay.offset, abs=0.012)


@pytest.mark.parametrize("latency", [0.004, 0.02, 0.037, 0.3])
def test_a_sink_that_stamps_its_sound_gets_it_in_time_for_the_freshest_picture(latency):
    show = SimulatedShow(latency=latency, early=0.1)
    show.run(10)
    assert abs(float(np.median(show.offsets[-60:]))) <= 0.010
    assert silent_blocks(show, 8) == 0


def test_sound_without_any_picture_is_sent_too():
    show = SimulatedShow(picture_fps=1e-6, latency=1e6)
    show.run(3)
    assert silent_blocks(show, 1) == 0


def test_a_ring_that_nobody_writes_gives_silence():
    delay = Delay(AudioRing(1.0))
    blocks = [delay.block(1000 + tick / 30, 0.1, 1600) for tick in range(60)]
    assert not np.concatenate(blocks).any()


def test_a_catch_up_burst_of_ticks_does_not_move_the_sound():
    show = SimulatedShow(latency=0.3)
    show.run(3)
    place = show.delay._next
    show.run(3, late=lambda tick: 0.2 - 0.033 * (tick % 6) if tick % 45 < 6 else 0.0)
    assert abs(show.delay._next - place - 3 * SAMPLE_RATE) <= 0.02 * SAMPLE_RATE
    assert silent_blocks(show, 3) == 0


def test_a_delay_survives_the_way_to_another_process():
    fresh = Delay.__new__(Delay)
    state = {key: value for key, value in Delay(AudioRing(0.1)).__dict__.items() if key != "_ring"}
    fresh.__dict__.update(pickle.loads(pickle.dumps(state)))
    fresh._ring = AudioRing(0.1)  # shared memory itself travels only while a process is being spawned
    assert fresh.block(1.0, None, 1600).shape == (1600, 2)
