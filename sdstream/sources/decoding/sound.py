"""Converts sound of any format to 48 kHz stereo float, and joins the blocks without gaps."""

import math

import av
import numpy as np

from sdstream.audio.interpolation import interpolate
from sdstream.frame import SAMPLE_RATE, Samples


class Resampler:
    """Converts sound; the sample rate, layout and format may change at any block."""

    def __init__(self) -> None:
        self._resampler: av.AudioResampler | None = None
        self._kind: tuple[str, str, int] | None = None

    def convert(self, frame: av.AudioFrame) -> Samples:
        """Return (n, 2) samples; n may be 0. Raises FFmpegError or ValueError for unusable sound.

        Mono keeps its level on both sides, as in OBS; FFmpeg would take 3 dB away. Surround is mixed down by FFmpeg:
        centre and rear at -3 dB, no bass channel. Channels without names: the first two.
        """
        kind = (frame.format.name, frame.layout.name, frame.sample_rate)
        channels = min(2, frame.layout.nb_channels)
        if kind != self._kind or self._resampler is None:
            layout = "mono" if channels == 1 else "stereo"
            self._resampler = av.AudioResampler(format="flt", layout=layout, rate=SAMPLE_RATE)
            self._kind = kind
        frame.pts = None  # `Joiner` keeps the times; swresample would stretch the sound to fit the pts
        blocks = [
            block.to_ndarray().reshape(-1, channels).astype(np.float32, copy=False)
            for block in self._resampler.resample(frame)
        ]
        if not blocks:
            return np.zeros((0, 2), np.float32)
        return sound_of(blocks[0] if len(blocks) == 1 else np.concatenate(blocks))


def sound_of(samples: Samples) -> Samples:
    """Return (n, 2) samples, -1 to 1, of (n, 1) or (n, 2).

    Six channels in two may be louder than full scale, and an encoder ends at a value that is no number.
    """
    both = np.repeat(samples, 2, axis=1) if samples.shape[1] == 1 else samples
    limited = np.maximum(both, -1)
    np.minimum(limited, 1, out=limited)
    if math.isnan(limited.sum()):  # four times as fast as to replace what is no number in every block
        np.nan_to_num(limited, copy=False)
    return limited


class Joiner:
    """Joins blocks of sound end to end, even if the times jitter or drift; only a jump makes a gap.

    Times in steps of 1 ms, or by the clock of a sound card, would cut or overlap each block. The difference is averaged
    over some 20 blocks, and corrected by a few samples a block. The correction changes the pitch by 9 cents, not
    audible, and catches up in three seconds with a sender that moves the sound by 15 ms to mend a delay.
    """

    HARD = 0.1
    """A larger difference (seconds) is a jump."""
    SOFT = 0.003
    """A smaller average difference (seconds) is not corrected."""
    SLEW = 0.005
    """Largest correction as a share of the block; a sample is always allowed."""
    _SMOOTH = 0.05  # weight of the newest block in the average
    _BLOCKS = 10  # spread a correction over this number of blocks

    def __init__(self) -> None:
        self._drift = 0.0
        self.end = float("-inf")
        """Time of the next block (monotonic seconds)."""

    def fit(self, pts: float, samples: Samples) -> tuple[float, Samples]:
        """Return the time to write at (monotonic seconds), and the block, perhaps a few samples longer or shorter."""
        error = pts - self.end
        if abs(error) > self.HARD:
            self._drift = 0.0
            self.end = pts
        else:
            self._drift += self._SMOOTH * (error - self._drift)
            change = self._change(len(samples))
            if change:
                samples = _stretch(samples, len(samples) + change)
                self._drift -= change / SAMPLE_RATE  # the average sees the correction only after some 20 blocks
        begin = self.end
        self.end = begin + len(samples) / SAMPLE_RATE
        return begin, samples

    def _change(self, count: int) -> int:
        """Return the number of samples to add to a block of `count` samples; negative: to remove."""
        excess = (abs(self._drift) - self.SOFT) * SAMPLE_RATE
        if excess <= 0 or count < 2:
            return 0
        return int(math.copysign(max(1, min(count * self.SLEW, excess / self._BLOCKS)), self._drift))


def _stretch(samples: Samples, length: int) -> Samples:
    """Resample a block of two or more samples to a slightly different length; the first and last samples stay."""
    padded = np.concatenate((samples[:1], samples, samples[-1:], samples[-1:]))
    return interpolate(padded, np.linspace(0, len(samples) - 1, length))
