"""The level of the sound as a number from 0 to 1 that rises fast and falls slowly: an envelope follower."""

import math

import numpy as np

from sdstream.frame import SAMPLE_RATE, Samples

WINDOW = 0.04
"""Seconds of sound for a level: two periods of 50 Hz."""
_SILENCE = 1e-6  # -120 dB


class Envelope:
    """Follows the level between `floor` and `ceiling` (decibels below full scale). Time is an argument."""

    def __init__(self, floor: float, ceiling: float, attack: float, release: float) -> None:
        """`attack` and `release`: seconds for 63 % of the way up and down."""
        self._floor, self._span = floor, ceiling - floor
        self._attack, self._release = attack, release
        self._level, self._seen = 0.0, math.nan

    def at(self, sound: Samples, now: float) -> float:
        """Return the level at `now` (monotonic seconds), with `sound` (n, 2) of the last `WINDOW` seconds."""
        power = float(np.square(sound, dtype=np.float32).mean()) if sound.size else 0.0
        decibels = 10 * math.log10(max(power if math.isfinite(power) else 0.0, _SILENCE**2))
        target = min(1.0, max(0.0, (decibels - self._floor) / self._span))
        passed = 0.0 if math.isnan(self._seen) else max(0.0, now - self._seen)
        self._seen = now
        seconds = self._attack if target > self._level else self._release
        self._level += (target - self._level) * (1 - math.exp(-passed / seconds) if seconds > 0 else 1.0)
        return self._level


def window(now: float) -> tuple[int, int]:
    """Return the number of the first sample, and the count of samples, of the window that ends at `now`."""
    count = round(WINDOW * SAMPLE_RATE)
    return round(now * SAMPLE_RATE) - count, count
