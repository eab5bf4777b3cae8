"""The last seconds of the source's sound in shared memory, addressed by time: a single writer, any number of readers.

The number of a sample is the sample's pts times the sample rate. So a reader needs no position from the writer, and
finds the right sample again after a pause. Only whole blocks become visible, by a single store of the new end.
"""

from multiprocessing.sharedctypes import RawArray
from typing import Any

import numpy as np
import numpy.typing as npt

from sdstream.frame import SAMPLE_RATE, Samples
from sdstream.ipc.fence import fence

_END, _START = range(2)  # sample numbers: one past the newest, and the oldest of the present run of sound

_JUMP = SAMPLE_RATE // 50
"""Samples (20 ms) by which the pts of a block may differ from the end of the last block: rounding or jitter."""


class AudioRing:
    """Stereo float32 at `SAMPLE_RATE`; may be sent to spawned processes."""

    def __init__(self, seconds: float = 8.0) -> None:
        """Keep the last `seconds` of sound; 8 s take 3 MB."""
        self.length = int(seconds * SAMPLE_RATE)
        self._data: Any = RawArray("f", self.length * 2)  # ctypes arrays have no static type
        self._marks: Any = RawArray("q", 2)

    def write(self, pts: float, samples: Samples) -> None:
        """Append `samples` (n, 2); the first sample belongs at `pts` (monotonic seconds).

        A block within 20 ms of the end of the last block is joined to the last block; a gap or a jump back starts
        a new run.
        """
        ring = self._ring()
        samples = samples[-self.length :]
        begin = round(pts * SAMPLE_RATE)
        end = int(self._marks[_END])
        if end and abs(begin - end) <= _JUMP:
            begin = end
        else:
            self._marks[_START] = begin
        place = begin % self.length
        before_the_end = self.length - place  # slices, and no index for each sample: a tenth of the time
        ring[place : place + len(samples)] = samples[:before_the_end]
        ring[: max(0, len(samples) - before_the_end)] = samples[before_the_end:]
        fence()
        self._marks[_END] = begin + len(samples)

    def span(self) -> tuple[int, int]:
        """Return the first readable sample number and the end, 1 past the last; equal without sound."""
        end = int(self._marks[_END])
        fence()  # read samples only after the end, or the samples may be older than the end
        return max(int(self._marks[_START]), end - self.length), end

    def read(self, begin: int, count: int) -> Samples:
        """Return (count, 2) samples from sample number `begin` on; silence where there is no sound."""
        out = np.zeros((count, 2), np.float32)
        first, last = self.span()
        low, high = max(begin, first), min(begin + count, last)
        if low < high:
            ring, place = self._ring(), low % self.length
            wanted = out[low - begin : high - begin]
            before_the_end = self.length - place
            wanted[:before_the_end] = ring[place : place + len(wanted)]
            wanted[before_the_end:] = ring[: max(0, len(wanted) - before_the_end)]
        return out

    def _ring(self) -> npt.NDArray[np.float32]:
        return np.frombuffer(self._data, np.float32).reshape(self.length, 2)
