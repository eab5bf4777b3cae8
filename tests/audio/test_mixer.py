"""Gain, mute, mono and offset of the sound change at once, and without clicks."""

import numpy as np
import pytest

from sdstream.audio.delay import Delay
from sdstream.audio.mixer import Mixer
from sdstream.audio.ring import AudioRing
from sdstream.controls.sound import Sound
from sdstream.frame import SAMPLE_RATE
from tests.audio.simulated_show import SimulatedShow

COUNT = 1600
LATENCY = 0.2


class Show:
    """A tone of 0.25 on the left and 0.1 on the right, and a picture for each tick."""

    def __init__(self):
        self.ring = AudioRing()
        self.mixer = Mixer(Delay(self.ring))
        self._tick = 0

    def run(self, sound, ticks=30):
        """Return the sound of some ticks, after as many ticks to settle."""
        return np.concatenate([self._one(sound) for _ in range(ticks)])

    def _one(self, sound):
        self._tick += 1
        now = 1000 + self._tick / 30
        place = np.arange(self._tick * COUNT, (self._tick + 1) * COUNT)
        tone = np.sin(2 * np.pi * 440 * place / SAMPLE_RATE)
        self.ring.write(now - 1 / 30, np.stack([0.25 * tone, 0.1 * tone], 1).astype(np.float32))
        return self.mixer.block(now, LATENCY, COUNT, sound)


@pytest.fixture
def show():
    begun = Show()
    begun.run(Sound(), 60)
    return begun


def levels(samples):
    return np.abs(samples[-COUNT * 20 :]).max(0)


@pytest.mark.parametrize(
    ("sound", "expected"),
    [
        (Sound(), (0.25, 0.1)),
        (Sound(gain=6), (0.499, 0.1995)),
        (Sound(gain=-20), (0.025, 0.01)),
        (Sound(gain=30), (1, 1)),
        (Sound(mute=True), (0, 0)),
        (Sound(mute=True, gain=20), (0, 0)),
        (Sound(mono=True), (0.175, 0.175)),
        (Sound(mono=True, gain=6), (0.349, 0.349)),
    ],
)
def test_the_controls_set_the_level(show, sound, expected):
    assert levels(show.run(sound)) == pytest.approx(expected, abs=0.002)


@pytest.mark.parametrize("sound", [Sound(gain=9), Sound(mute=True), Sound(mono=True), Sound(offset=0.05)])
def test_no_change_clicks(show, sound):
    samples = np.concatenate([show.run(Sound()), show.run(sound), show.run(Sound())])
    steepest = 0.25 * 2.82 * 2 * np.pi * 440 / SAMPLE_RATE
    assert np.abs(np.diff(samples[:, 0])).max() < 1.3 * steepest


def test_untouched_sound_is_a_bit_exact_copy(show):
    begin, end = show.ring.span()
    told = show.run(Sound(), 10)[:COUNT]
    source = show.ring.read(begin, end - begin)
    assert any(np.array_equal(told, source[i : i + COUNT]) for i in range(len(source) - COUNT))


@pytest.mark.parametrize("seconds", [0.03, 0.25, 1.5, -0.1])
def test_an_offset_moves_the_sound_within_a_tenth_of_a_second(seconds):
    show = SimulatedShow()
    show.run(3)
    show.delay.shift(seconds)
    show.run(0.1)
    show.offsets.clear()
    show.run(2)
    apart = (np.array(show.offsets) + seconds + 0.5) % 1 - 0.5
    assert np.abs(apart).max() < 0.005


def test_sound_cannot_come_earlier_than_it_arrives():
    show = SimulatedShow(latency=0.3)
    show.run(3)
    show.delay.shift(-1.0)
    show.run(3)
    assert np.abs(show.sound[-SAMPLE_RATE:, 0]).max() > 0.9
    assert 0.2 < np.median(show.offsets[-30:]) < 0.3
