"""Brings sound to 48 kHz stereo float, whatever the source has, and joins its blocks without gaps."""

import math

import av
import numpy as np

from sdstream.audio.interpolation import interpolate
from sdstream.frame import SAMPLE_RATE, Samples


class Resampler:
    """Follows a source that changes its sample rate, layout or format on the way."""

    def __init__(self) -> None:
        self._resampler: av.AudioResampler | None = None
        self._kind: tuple[str, str, int] | None = None

    def convert(self, frame: av.AudioFrame) -> Samples:
        """Return (n, 2) samples; n may be 0. Raises FFmpegError or ValueError for sound that makes no sense."""
        kind = (frame.format.name, frame.layout.name, frame.sample_rate)
        if kind != self._kind or self._resampler is None:
            self._resampler = av.AudioResampler(format="flt", layout="stereo", rate=SAMPLE_RATE)
            self._kind = kind
        frame.pts = None  # times are kept outside; swresample would stretch the sound to fit these
        blocks = [
            block.to_ndarray().reshape(-1, 2).astype(np.float32, copy=False)
            for block in self._resampler.resample(frame)
        ]
        if not blocks:
            return np.zeros((0, 2), np.float32)
        return np.clip(np.concatenate(blocks), -1, 1)  # six channels in two may be louder than full scale


class Joint:
    """Joins blocks of sound end to end, though their times jitter or drift; only a real jump makes a gap.

    Times of 1 ms steps, or of a sound card whose clock is not the computer's, would else cut or overlap each block.
    The difference is averaged over some 20 blocks, and taken back by a few samples a block: 9 cents, not heard as
    pitch, follow in three seconds a sender that moves its sound by 15 ms, as one does that learns how late it is.
    """

    HARD = 0.1
    """Seconds of difference that are a jump."""
    SOFT = 0.003
    """Seconds of average difference that are left alone."""
    SLEW = 0.005
    """Share of a block that is taken back at most, if that is a sample."""
    _SMOOTH = 0.05
    _BLOCKS = 10  # that the rest of a difference is spread over

    def __init__(self) -> None:
        self._drift = 0.0
        self.end = float("-inf")
        """Where the next block belongs (monotonic seconds)."""

    def fit(self, pts: float, samples: Samples) -> tuple[float, Samples]:
        """Return the block and the time (monotonic seconds) to write it at."""
        error = pts - self.end
        if abs(error) > self.HARD:
            self._drift = 0.0
            self.end = pts
        else:
            self._drift += self._SMOOTH * (error - self._drift)
            change = self._change(len(samples))
            if change:
                samples = _stretch(samples, len(samples) + change)
                self._drift -= change / SAMPLE_RATE  # what is taken back is known before the average shows it
        begin = self.end
        self.end = begin + len(samples) / SAMPLE_RATE
        return begin, samples

    def _change(self, count: int) -> int:
        """Return how many samples more than `count` are to be made of a block."""
        excess = (abs(self._drift) - self.SOFT) * SAMPLE_RATE
        if excess <= 0 or count < 2:
            return 0
        return int(math.copysign(max(1, min(count * self.SLEW, excess / self._BLOCKS)), self._drift))


def _stretch(samples: Samples, length: int) -> Samples:
    """Resample a block of two or more to a length that differs a little; it keeps its ends."""
    padded = np.concatenate((samples[:1], samples, samples[-1:], samples[-1:]))
    return interpolate(padded, np.linspace(0, len(samples) - 1, length))
