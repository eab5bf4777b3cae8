"""The sound of an output, encoded block by block: every sample keeps its place, whatever the clock left out."""

from fractions import Fraction

import av
import numpy as np

from sdstream.errors import Lost
from sdstream.frame import SAMPLE_RATE, Samples

_SAMPLE = Fraction(1, SAMPLE_RATE)
_LONGEST_GAP = 10.0  # seconds that may be left out within one file or connection


class SoundTrack:
    """One AAC stream. Sample 0 is due with the first picture; what belongs before the first picture is dropped."""

    def __init__(self, encoder: av.AudioStream, rate: Fraction, early: int, output: str) -> None:
        """`rate`: pictures a second. `early`: samples by which each block is stamped before its picture.

        `output`: the output's name in errors.
        """
        self._encoder = encoder
        self._rate = rate
        self._early = early
        self._output = output
        self._samples = -early

    def encode(self, sound: Samples, number: int) -> list["av.Packet[av.AudioStream]"]:
        """Encode the sound (n, 2) that came with picture `number`.

        Raises Lost when pictures were left out for long: the machine slept, or the process was stopped. A new start
        is better than so much silence.
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
        """Return what the encoder still holds; nothing may be encoded afterwards."""
        return self._encoder.encode(None)

    def _padded(self, sound: Samples, number: int) -> Samples:
        """Put silence in front of `sound` for pictures that were left out, so that `sound` keeps its place."""
        due = int(number * SAMPLE_RATE / self._rate) - self._early
        gap = due - self._samples
        if gap > _LONGEST_GAP * SAMPLE_RATE:
            raise Lost(f"output {self._output} was held up for {gap / SAMPLE_RATE:.0f} s; it begins anew")
        return np.concatenate((np.zeros((gap, 2), np.float32), sound)) if gap > 1 else sound
