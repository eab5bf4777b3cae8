"""A sink's sound as the controls want it: delayed with the picture, then mono, gain and mute, all without clicks."""

import numpy as np

from sdstream.audio.delay import Delay
from sdstream.controls.sound import Sound
from sdstream.frame import Samples

_MONO = np.full((2, 2), 0.5, np.float32)
_Mix = tuple[bool, bool, float]  # mono, mute and gain (dB)
_AS_IT_IS: _Mix = (False, False, 0.0)


class Mixer:
    """May be sent to a spawned process together with the delay's ring."""

    def __init__(self, delay: Delay) -> None:
        self._delay = delay
        self._mix = _AS_IT_IS

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
        before, self._mix = self._mix, (sound.mono, sound.mute, sound.gain)
        if before == self._mix:
            return samples if before == _AS_IT_IS else _clipped(samples @ _matrix(before))
        share = np.linspace(1 / count, 1, count, dtype=np.float32)[:, None]
        mixed: Samples = samples @ _matrix(before) * (1 - share) + samples @ _matrix(self._mix) * share
        return _clipped(mixed)


def _matrix(mix: _Mix) -> Samples:
    """Return the gains (2, 2) from the source's left and right to the output's."""
    mono, mute, gain = mix
    mixed = _MONO if mono else np.eye(2, dtype=np.float32)
    matrix: Samples = mixed * np.float32(0.0 if mute else 10 ** (gain / 20))
    return matrix


def _clipped(samples: Samples) -> Samples:
    return np.clip(samples, -1, 1)
