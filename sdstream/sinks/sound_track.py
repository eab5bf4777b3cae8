"""The sound of an output, encoded in blocks; silence fills the time of left-out pictures."""

from fractions import Fraction

import av
import numpy as np

from sdstream.errors import Lost
from sdstream.frame import SAMPLE_RATE, Samples

_SAMPLE = Fraction(1, SAMPLE_RATE)
_LONGEST_GAP = 10.0  # seconds of silence within a file or connection


class SoundTrack:
    """An AAC stream. Sample 0 is due with the first picture; sound due before the first picture is dropped."""

    def __init__(self, encoder: av.AudioStream, rate: Fraction, early: int, output: str) -> None:
        """`rate`: pictures a second. `early`: samples subtracted from the timestamps. `output`: the name in errors."""
        self._encoder = encoder
        self._rate = rate
        self._early = early
        self._output = output
        self._samples = -early

    def encode(self, sound: Samples, number: int) -> list["av.Packet[av.AudioStream]"]:
        """Encode the sound (n, 2) of picture `number`.

        Raises Lost when pictures were left out for more than 10 s, because the machine slept or the process was
        stopped: a new connection or file is better than long silence.
        """
        sound = self._padded(sound, number)
        early, self._samples = min(len(sound), max(0, -self._samples)), self._samples + len(sound)
        if early == len(sound):
            return []
        planes = np.ascontiguousarray(sound[early:].T)
        block = av.AudioFrame.from_ndarray(planes, format="fltp", layout="stereo")
        block.sample_rate = SAMPLE_RATE
        block.time_base = _SAMPLE
        block.pts = self._samples - planes.shape[1]
        return self._encoder.encode(block)

    def flush(self) -> list["av.Packet[av.AudioStream]"]:
        """Return the packets left in the encoder; nothing may be encoded afterwards."""
        return self._encoder.encode(None)

    def _padded(self, sound: Samples, number: int) -> Samples:
        """Put silence in front of `sound` for left-out pictures, so that `sound` stays in time."""
        due = int(number * SAMPLE_RATE / self._rate) - self._early
        gap = due - self._samples
        if gap > _LONGEST_GAP * SAMPLE_RATE:
            raise Lost(f"output {self._output} was held up for {gap / SAMPLE_RATE:.0f} s; the output starts again")
        return np.concatenate((np.zeros((gap, 2), np.float32), sound)) if gap > 1 else sound
