"""A machine-readable code in the picture: counter, time of birth and beep flag, as black and white cells.

Two rows of 32 cells lie along the top of the centred square of the picture, so the code survives scaling, H.264, a
centre crop to a square and any colour matrix. The code measures latency, order and A/V offset from the outside.
"""

import time
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from sdstream.frame import Pixels

COLUMNS, ROWS = 32, 2
COUNTER_BITS, TICK_BITS = 23, 32
TICK = 1e-4
"""Seconds; the time of birth wraps after five days, and only differences are used."""


@dataclass(frozen=True, slots=True)
class Mark:
    """The contents of the code."""

    counter: int
    """Number of the picture, modulo 2**23."""
    ticks: int
    """Monotonic time of the picture's birth in ticks, modulo 2**32."""
    beep: bool
    """Whether the once-a-second beep starts with this picture."""

    @classmethod
    def now(cls, counter: int, *, beep: bool = False) -> "Mark":
        """Return a mark born at this moment."""
        return cls(counter % (1 << COUNTER_BITS), round(time.monotonic() / TICK) % (1 << TICK_BITS), beep)

    def age(self, now: float) -> float:
        """Return the seconds from birth until `now` (monotonic time of the same machine)."""
        return ((round(now / TICK) - self.ticks) % (1 << TICK_BITS)) * TICK


def fits(width: int, height: int) -> bool:
    """Tell whether a picture has room for the code: two pixels a cell."""
    return min(width, height) >= 2 * COLUMNS


def burn(pixels: Pixels, mark: Mark) -> None:
    """Write `mark` into a picture. Raises ValueError if the picture is too small."""
    height, width = pixels.shape[:2]
    if not fits(width, height):
        raise ValueError(
            f"a picture of {width}x{height} is too small for a marker; expected {2 * COLUMNS} pixels a side"
        )
    edges = _edges(width, height)
    cells = _encode(mark).reshape(ROWS, COLUMNS)
    top = edges.rows[0]
    line = np.repeat(cells, np.diff(edges.columns), axis=1)  # [ROWS, square]
    block = np.repeat(line, np.diff(edges.rows), axis=0)
    pixels[top : edges.rows[-1], edges.columns[0] : edges.columns[-1]] = block[:, :, None]


def read(pixels: Pixels) -> Mark | None:
    """Return the mark in a picture, or None for a picture without a mark or with a damaged mark."""
    height, width = pixels.shape[:2]
    if not fits(width, height):
        return None
    edges = _edges(width, height)
    rows = (edges.rows[:-1] + edges.rows[1:]) // 2
    columns = (edges.columns[:-1] + edges.columns[1:]) // 2
    bits = pixels[np.ix_(rows, columns)][:, :, 1] > 127
    return _decode(bits.ravel())


@dataclass(frozen=True, slots=True)
class _Edges:
    rows: npt.NDArray[np.intp]
    columns: npt.NDArray[np.intp]


@cache
def _edges(width: int, height: int) -> _Edges:
    side = min(width, height)
    left = (width - side) / 2
    columns = np.round(left + np.arange(COLUMNS + 1) * side / COLUMNS).astype(np.intp)
    return _Edges(np.round(np.arange(ROWS + 1) * side / COLUMNS).astype(np.intp), columns)


def _encode(mark: Mark) -> Pixels:
    body = (int(mark.beep) << COUNTER_BITS | mark.counter) << TICK_BITS | mark.ticks
    data = body.to_bytes(7, "big")
    bits = np.unpackbits(np.frombuffer(data + bytes([_check(data)]), np.uint8))
    return bits * np.uint8(255)


def _decode(bits: npt.NDArray[np.bool_]) -> Mark | None:
    data = np.packbits(bits).tobytes()
    if _check(data[:7]) != data[7]:
        return None
    body = int.from_bytes(data[:7], "big")
    head = body >> TICK_BITS
    return Mark(head & ((1 << COUNTER_BITS) - 1), body & ((1 << TICK_BITS) - 1), bool(head >> COUNTER_BITS))


def _check(data: bytes) -> int:
    """Return the CRC-8 of `data` (polynomial 0x07), started from 0xA5 so that black and white pictures fail."""
    value = 0xA5
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value << 1 ^ 0x07) & 0xFF if value & 0x80 else value << 1
    return value
