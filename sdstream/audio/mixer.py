"""A sink's sound as the controls want it: delayed with the picture, then mono, gain and mute, all without clicks."""

import numpy as np

from sdstream.audio.delay import Delay
from sdstream.controls.sound import Sound
from sdstream.frame import Samples

_MONO = np.full((2, 2), 0.5, np.float32)


class Mixer:
    """May be sent to a spawned process together with the delay's ring."""

    def __init__(self, delay: Delay) -> None:
        self._delay = delay
        self._matrix = np.eye(2, dtype=np.float32)

    @property
    def offset(self) -> float:
        """Seconds by which the last sound sent is ahead of the picture shown with the sound."""
        return self._delay.offset

    def block(self, now: float, delay: float | None, count: int, sound: Sound) -> Samples:
        """Return (count, 2) samples for a picture shown at `now`, with pts `now - delay` (None: shown before).

        A change of gain, mute or mono goes evenly through a block.
        """
        self._delay.shift(sound.offset)
        samples = self._delay.block(now, delay, count)
        before, self._matrix = self._matrix, _matrix(sound)
        if np.array_equal(before, self._matrix):
            return samples if np.array_equal(before, np.eye(2)) else _clipped(samples @ before)
        share = np.linspace(1 / count, 1, count, dtype=np.float32)[:, None]
        mixed: Samples = samples @ before * (1 - share) + samples @ self._matrix * share
        return _clipped(mixed)


def _matrix(sound: Sound) -> Samples:
    """Return the gains (2, 2) from the source's left and right to the output's."""
    mixed = _MONO if sound.mono else np.eye(2, dtype=np.float32)
    matrix: Samples = mixed * np.float32(0.0 if sound.mute else 10 ** (sound.gain / 20))
    return matrix


def _clipped(samples: Samples) -> Samples:
    return np.clip(samples, -1, 1)
