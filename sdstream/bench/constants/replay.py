"""A sink in simulated time: sound and pictures arrive by a pattern, and the product's own `Delay` plays them."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from sdstream.audio.delay import Delay
from sdstream.audio.ring import AudioRing
from sdstream.frame import SAMPLE_RATE, Samples

FPS = 30
AAC = 1024
"""Samples of a block of sound."""

_BEGIN = 1000.0  # monotonic seconds
_EXACT = 0.5  # samples: error of a position read from 32 bits
_ROUND = 16 * SAMPLE_RATE  # samples until the sound's values, an encoding of the position, begin again


@dataclass(frozen=True)
class Pattern:
    """Arrival of sound and pictures. All times in seconds."""

    name: str
    latency: tuple[float, ...] = (0.3,)
    """From a picture's capture to the arrival at the sink; several values take turns, four seconds each."""
    picture_fps: float = 30.0
    """Pictures a second; 0 for no pictures at all."""
    jitter: float = 0.005
    """Largest random change of an arrival, early or late."""
    burst: float = 0.0
    """Interval between arrivals of sound, many blocks at once; 0 for each block by itself."""
    straggler: float = 0.0
    """Extra delay of every 15th block of sound."""
    stall: float = 0.0
    """Length of the network's regular stalls."""
    stall_every: float = 5.0
    """Time from the end of a stall to the end of the next stall."""
    held_up: float = 0.0
    """Length of a stall of the sink, once in 45 ticks; afterwards the sink sends all due pictures at once."""


@dataclass(frozen=True)
class Heard:
    """Quality of the sound of a pattern."""

    silent: float
    """Seconds of silence in a minute, after the first sound."""
    off: float
    """Mean seconds between the pts of picture and sound sent together."""
    start: float
    """Seconds until the first sound."""
    moved: float
    """Seconds of stretched sound, or sound after a jump, in a minute."""


def replay(pattern: Pattern, seconds: float, seed: int = 0) -> Heard:
    """Play a pattern for `seconds`; `seed` chooses the jitter."""
    ring = AudioRing()
    delay = Delay(ring)
    arrivals, pictures = deque(_sound(pattern, seconds, seed)), deque(_pictures(pattern, seconds, seed + 1))
    shown: float | None = None
    first, silent, moved, off, before = seconds, 0, 0, [], None
    for tick in range(round(seconds * FPS)):
        now = _BEGIN + tick / FPS + max(0.0, pattern.held_up - tick % 45 / FPS)
        while arrivals and arrivals[0][0] <= now:
            _, begin = arrivals.popleft()
            ring.write(begin / SAMPLE_RATE, _encoded(begin, AAC))
        fresh = None
        while pictures and pictures[0][0] <= now:
            fresh = pictures.popleft()[1]
        shown = fresh if fresh is not None else shown
        block = delay.block(now, None if fresh is None else now - fresh, SAMPLE_RATE // FPS)
        if block[:, 0].any():
            first = min(first, tick / FPS)
            off += [_off(block, fresh)] if fresh is not None else []
            moved += before is not None and abs(_apart(_middle(block), before) - len(block)) > _EXACT
            before = _middle(block)
        else:
            silent += first < seconds
            before = None
    minutes = max(seconds - first, 1.0) / 60
    return Heard(silent / FPS / minutes, float(np.mean(off)) if off else 0.0, first, moved / FPS / minutes)


def _encoded(begin: int, count: int) -> Samples:
    """Return sound with the samples' positions as values: from 0 to 1 in `_ROUND` samples, never 0 itself."""
    position = np.arange(begin, begin + count) % _ROUND + 1
    return np.repeat(position[:, None] / _ROUND, 2, axis=1).astype(np.float32)


def _off(block: Samples, pts: float) -> float:
    """Return the seconds between the pts of the sound in a block and the pts of the picture."""
    return abs(_apart(_middle(block) - len(block) // 2, pts * SAMPLE_RATE)) / SAMPLE_RATE


def _middle(block: Samples) -> float:
    """Return the position of the sample in the middle of a block."""
    return float(block[len(block) // 2, 0]) * _ROUND - 1


def _apart(position: float, reference: float) -> float:
    """Return the samples from `reference` to `position`, up to half a round each way."""
    return (position - reference + _ROUND / 2) % _ROUND - _ROUND / 2


def _sound(pattern: Pattern, seconds: float, seed: int) -> Iterator[tuple[float, int]]:
    """Yield the time of arrival and the first sample number of each block."""
    chance, at = np.random.default_rng(seed), 0.0
    for number in range(int(seconds * SAMPLE_RATE / AAC)):
        begin = round(_BEGIN * SAMPLE_RATE) + number * AAC
        late = pattern.straggler if number % 15 == 0 else 0.0
        ready = (begin + AAC) / SAMPLE_RATE + 0.02 + late + chance.uniform(0, pattern.jitter)
        if pattern.burst:
            ready = np.ceil(ready / pattern.burst) * pattern.burst
        at = max(at, _stalled(pattern, ready))
        yield at, begin


def _pictures(pattern: Pattern, seconds: float, seed: int) -> Iterator[tuple[float, float]]:
    """Yield the time of arrival and the pts of each picture."""
    chance, at = np.random.default_rng(seed), 0.0
    for number in range(int(seconds * pattern.picture_fps)):
        pts = _BEGIN + number / pattern.picture_fps
        latency = pattern.latency[int((pts - _BEGIN) / 4.0) % len(pattern.latency)]
        at = max(at, _stalled(pattern, pts + latency + chance.uniform(-pattern.jitter, pattern.jitter)))
        yield at, pts


def _stalled(pattern: Pattern, ready: float) -> float:
    """Return the time of arrival of data sent at `ready`: at once, or at the end of the network's stall."""
    left = pattern.stall_every - (ready - _BEGIN) % pattern.stall_every
    return ready + left if left < pattern.stall else ready
