"""Decoded sound becomes stereo at 48 kHz on a timeline without false gaps."""

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdstream.frame import SAMPLE_RATE
from sdstream.sources.decoding.sound import Joiner, Resampler


def tone(count, rate, channels, form):
    wave = 0.5 * np.sin(2 * np.pi * 440 * np.arange(count) / rate)
    data = np.stack([wave] * channels).astype(np.float32)
    layout = {1: "mono", 2: "stereo", 6: "5.1"}[channels]
    frame = av.AudioFrame.from_ndarray(data, "fltp", layout)
    frame.sample_rate = rate
    return frame if form == "fltp" else av.AudioResampler(form, layout, rate).resample(frame)[0]


@pytest.mark.parametrize("rate", [8000, 44100, 48000, 96000])
@pytest.mark.parametrize("channels", [1, 2, 6])
@pytest.mark.parametrize("form", ["fltp", "s16", "s32p", "dbl"])
def test_any_sound_becomes_stereo_at_48_khz(rate, channels, form):
    resampler = Resampler()
    blocks = [resampler.convert(tone(rate // 10, rate, channels, form)) for _ in range(5)]
    sound = np.concatenate(blocks)
    assert (sound.dtype, sound.shape[1]) == (np.float32, 2)
    assert len(sound) == pytest.approx(SAMPLE_RATE // 2, abs=0.005 * SAMPLE_RATE)  # the filter holds a few back
    assert 0.2 < np.abs(sound[1000:]).max() <= 1


def test_sound_may_change_its_kind_on_the_way():
    resampler = Resampler()
    kinds = ((44100, 1, "s16"), (48000, 2, "fltp"), (8000, 6, "s32p"))
    converted = [resampler.convert(tone(rate // 5, rate, channels, form)) for rate, channels, form in kinds]
    assert min(map(len, converted)) > SAMPLE_RATE // 10


def block(count=1024):
    return np.ones((count, 2), np.float32)


@given(st.lists(st.floats(-0.01, 0.01), min_size=1, max_size=200))
def test_times_that_jitter_make_no_gap(jitter):
    joiner, at = Joiner(), 100.0
    joiner.fit(at, block())
    for difference in jitter:
        at += 1024 / SAMPLE_RATE
        end = joiner.end
        begin, samples = joiner.fit(at + difference, block())
        assert begin == end
        assert abs(len(samples) - 1024) <= 1024 * Joiner.SLEW


@pytest.mark.parametrize("drift", [-2e-4, 2e-4])
def test_a_clock_that_drifts_is_followed_without_a_gap(drift):
    joiner, at = Joiner(), 100.0
    joiner.fit(at, block())
    for _ in range(5000):
        at += 1024 / SAMPLE_RATE * (1 + drift)
        end = joiner.end
        begin, samples = joiner.fit(at, block())
        assert begin == end
        assert abs(len(samples) - 1024) <= 1  # who hardly drifts is hardly stretched
    assert joiner.end == pytest.approx(at + 1024 / SAMPLE_RATE, abs=0.01)


@pytest.mark.parametrize("count", [480, 1600, 4800])
@pytest.mark.parametrize("moved", [-0.06, -0.015, 0.015, 0.06])
def test_a_sender_that_moves_its_sound_is_followed_without_a_gap(moved, count):
    joiner, at = Joiner(), 100.0
    joiner.fit(at, block(count))
    errors = []
    for _ in range(30 * SAMPLE_RATE // count):
        at += count / SAMPLE_RATE
        end = joiner.end
        begin, _ = joiner.fit(at + moved, block(count))
        assert begin == end
        errors.append(at + moved - begin)
    close = (8 if abs(moved) < 0.05 else 20) * SAMPLE_RATE // count
    assert max(abs(error) for error in errors[close:]) < 0.005
    assert min(errors) > min(moved, 0) - 0.001, "it swings past"
    assert max(errors) < max(moved, 0) + 0.001, "it swings past"


@pytest.mark.parametrize("jump", [-5.0, 0.5, 60.0])
def test_a_jump_makes_a_gap(jump):
    joiner = Joiner()
    joiner.fit(100.0, block())
    begin, _ = joiner.fit(100.0 + jump, block())
    assert begin == 100.0 + jump


def test_a_stretched_block_keeps_its_ends():
    joiner, ramp = Joiner(), np.linspace(0, 1, 1024, dtype=np.float32)
    joiner.fit(100.0, block())
    stretched = block()
    for _ in range(100):
        _, stretched = joiner.fit(joiner.end + 0.02, np.stack([ramp, -ramp], -1))
    assert len(stretched) == 1024 + int(1024 * Joiner.SLEW)
    assert stretched[0].tolist() == [0, 0]
    assert stretched[-1].tolist() == [1, -1]


def test_a_stretched_block_stays_bright():
    joiner = Joiner()
    joiner.fit(100.0, block())
    tone = lambda places: np.sin(2 * np.pi * 8000 / SAMPLE_RATE * places)  # noqa: E731 - two uses, one line
    wave = tone(np.arange(1024)).astype(np.float32)
    for _ in range(100):
        _, stretched = joiner.fit(joiner.end + 0.02, np.stack([wave, wave], -1))
    exact = tone(np.linspace(0, 1023, len(stretched)))
    assert len(stretched) > 1024
    assert np.abs(stretched[2:-2, 0] - exact[2:-2]).max() < 0.05  # straight lines: 0.13


def constant(layout, levels, rate=SAMPLE_RATE):
    """Return a block of sound with one level a channel."""
    packed = np.tile(np.array(levels, np.float32), 4800)[None]  # PyAV makes no planar frame of eight channels
    frame = av.AudioFrame.from_ndarray(packed, "flt", layout)
    frame.sample_rate = rate
    return frame


@pytest.mark.parametrize(
    ("layout", "levels", "expected"),
    [
        ("mono", [0.5], (0.5, 0.5)),
        ("1 channels", [0.5], (0.5, 0.5)),
        ("stereo", [0.5, 0.0], (0.5, 0.0)),
        ("2.1", [0.1, 0.2, 0.9], (0.1, 0.2)),
        ("3 channels", [0.1, 0.2, 0.9], (0.1, 0.2)),
        ("3.0", [0.1, 0.2, 0.4], (0.383, 0.483)),
        ("5.1", [0.1, 0.2, 0.3, 0.9, 0.2, 0.1], (0.454, 0.483)),
        ("5.1(side)", [0.1, 0.2, 0.3, 0.9, 0.2, 0.1], (0.454, 0.483)),
        ("7.1", [0.1, 0.2, 0.3, 0.9, 0.0, 0.0, 0.2, 0.1], (0.454, 0.483)),
        ("5.1", [0.9, 0.9, 0.9, 0.9, 0.9, 0.9], (1.0, 1.0)),
    ],
)
@pytest.mark.parametrize("rate", [48000, 44100])
def test_every_layout_keeps_its_level(layout, levels, expected, rate):
    sound = Resampler().convert(constant(layout, levels, rate))
    assert sound[2000] == pytest.approx(expected, abs=0.002)


def test_sound_that_is_no_number_is_silence():
    sound = Resampler().convert(constant("stereo", [np.nan, np.inf]))
    assert sound[100].tolist() == [0.0, 1.0]
