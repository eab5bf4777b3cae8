"""The level of the sound as a number from 0 to 1."""

import numpy as np
import pytest

from sdstream.audio.ring import AudioRing
from sdstream.config.surfaces import Modulation
from sdstream.control.surfaces.envelope import WINDOW, Envelope, window
from sdstream.control.surfaces.modulation import Follower
from sdstream.frame import SAMPLE_RATE


def tone(decibels: float, seconds: float = WINDOW) -> np.ndarray:
    """Return a sine of 50 Hz with the root mean square `decibels` below full scale."""
    times = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    wave = np.sqrt(2) * 10 ** (decibels / 20) * np.sin(2 * np.pi * 50 * times)
    return np.stack([wave, wave], 1).astype(np.float32)


@pytest.mark.parametrize(("decibels", "level"), [(-90, 0), (-50, 0), (-30, 0.5), (-10, 1), (-1, 1)])
def test_the_level_lies_between_floor_and_ceiling(decibels: float, level: float) -> None:
    envelope = Envelope(-50, -10, 0, 0)
    assert envelope.at(tone(decibels), 1.0) == pytest.approx(level, abs=1e-3)


def test_the_level_rises_with_the_attack_and_falls_with_the_release() -> None:
    envelope = Envelope(-50, -10, 0.1, 0.4)
    envelope.at(tone(-90), 0.0)
    assert envelope.at(tone(-1), 0.1) == pytest.approx(1 - np.exp(-1))
    envelope.at(tone(-1), 9.0)
    assert envelope.at(tone(-90), 9.4) == pytest.approx(np.exp(-1))


@pytest.mark.parametrize("sound", [np.full((8, 2), np.nan, np.float32), np.zeros((0, 2), np.float32)])
def test_broken_sound_is_silence(sound: np.ndarray) -> None:
    assert Envelope(-50, -10, 0, 0).at(sound, 1.0) == 0.0


def test_a_control_follows_the_sound_of_the_present_moment() -> None:
    ring = AudioRing()
    ring.write(100.0, np.concatenate([tone(-60, 1.0), tone(-5, 1.0)]))
    follower = Follower(Modulation(control="loras.sketch", low=-1, high=1, attack=0, release=0))
    assert follower.at(ring, 100.9) == {"loras.sketch": -1}
    assert follower.at(ring, 100.92) == {}
    assert follower.at(ring, 101.5) == {"loras.sketch": 1}
    assert follower.at(ring, 150.0) == {"loras.sketch": -1}


def test_the_window_ends_at_the_present() -> None:
    begin, count = window(10.0)
    assert begin + count == 10 * SAMPLE_RATE
