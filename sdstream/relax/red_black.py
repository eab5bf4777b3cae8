"""Red-black SOR for the screened Laplacian of a picture: (deg + c) x - sum of neighbours = b, any number of channels.

With red-black colouring a half-sweep is a vector operation. Each of the four (row, column) parities has a flat array
with a border of zeros: every operand of a half-sweep is a contiguous slice, without index arrays.
"""

import math
from dataclasses import dataclass

import numpy as np

PARITIES = ((0, 0), (1, 1), (0, 1), (1, 0))
"""Red (even row + column), then black: the order of a sweep."""


@dataclass(frozen=True)
class Sweeps:
    """Measurements of some sweeps, from the corrections alone; no residual was computed."""

    count: int
    correction: float
    """RMS over unknowns of the last sweep's Gauss-Seidel correction, in the units of x."""
    contraction: float
    """Factor of the correction from sweep to sweep, over the last `span` sweeps; 1 if not measured."""


def neighbour_count(height: int, width: int) -> np.ndarray:
    """Return the number of neighbours inside the picture, (h, w) float32: the free (Neumann) border."""
    count = np.full((height, width), 4.0, np.float32)
    count[0] -= 1
    count[-1] -= 1
    count[:, 0] -= 1
    count[:, -1] -= 1
    return count


class RedBlack:
    """The solver for a fixed picture size: `load` a system, `sweep`, take `x`. All buffers are allocated once.

    A point at the border has fewer neighbours and a smaller degree (Neumann). For a Dirichlet border of zero, add the
    number of missing neighbours to c. For a Dirichlet point inside, set c = 1e4 and b = c times the value.
    """

    def __init__(self, height: int, width: int, channels: int, dtype: type[np.floating] = np.float32) -> None:
        self.height, self.width, self.channels = height, width, channels
        self._rows, self._columns = (height + 1) // 2 + 2, (width + 1) // 2 + 2
        flat = (channels, self._rows * self._columns)
        self._x = {parity: np.zeros(flat, dtype) for parity in PARITIES}
        self._b = {parity: np.zeros(flat, dtype) for parity in PARITIES}
        self._inverse = {parity: np.zeros(flat[1], dtype) for parity in PARITIES}
        self._weight = {parity: np.zeros(flat[1], dtype) for parity in PARITIES}
        self._scratch = np.zeros((channels, flat[1] - 2 * self._columns), dtype)
        self._degree = neighbour_count(height, width).astype(dtype)

    def load(self, c: np.ndarray, b: np.ndarray, x: np.ndarray) -> None:
        """Take the system: screening c (h, w) >= 0, right side b and first guess x (channels, h, w)."""
        inverse = 1.0 / (c + self._degree)
        for parity in PARITIES:
            row, column = parity
            self._points(self._inverse, parity)[...] = inverse[row::2, column::2]
            self._points(self._x, parity)[...] = x[:, row::2, column::2]
            self._points(self._b, parity)[...] = b[:, row::2, column::2]

    def x(self) -> np.ndarray:
        """Return a copy of the present iterate, (channels, h, w)."""
        out = np.empty((self.channels, self.height, self.width), self._scratch.dtype)
        for parity in PARITIES:
            out[:, parity[0] :: 2, parity[1] :: 2] = self._points(self._x, parity)
        return out

    def sweep(self, omega: float, count: int, span: int = 4) -> Sweeps:
        """Do `count` red-black sweeps; the contraction is measured over the last `span` sweeps."""
        for parity in PARITIES:
            np.multiply(self._inverse[parity], omega, out=self._weight[parity])
        early = late = 0.0
        for k in range(1, count + 1):
            squares = self._one_sweep(omega, measure=k in (count - span, count))
            early, late = (squares, late) if k == count - span else (early, squares)
        unknowns = self.height * self.width * self.channels
        contraction = (late / early) ** (0.5 / span) if early > 0.0 else 1.0
        return Sweeps(count, math.sqrt(late / unknowns), contraction)

    def _one_sweep(self, omega: float, *, measure: bool) -> float:
        """Update red, then black; return the sum of squared corrections with `measure`, else 0."""
        inner, squares = slice(self._columns, -self._columns), 0.0
        for parity in PARITIES:
            change, x = self._sums(parity), self._x[parity][:, inner]
            change *= self._weight[parity][inner]
            if measure:
                change -= omega * x
                squares += float(np.vdot(change, change)) / omega**2
            else:
                x *= 1.0 - omega
            x += change
        return squares

    def _sums(self, parity: tuple[int, int]) -> np.ndarray:
        """Return b + the four neighbours at this parity, over the flat inner rows; valid until the next call."""
        row, column = parity
        width, out = self._columns, self._scratch
        across, along = self._x[(1 - row, column)], self._x[(row, 1 - column)]
        end = across.shape[1] - width
        # A point at an even row has its vertical neighbours at the same index and the index before, a point at an odd
        # row at the same index and the index after; columns likewise.
        up = slice(width, end) if row else slice(0, end - width)
        down = slice(2 * width, end + width) if row else slice(width, end)
        left = slice(width, end) if column else slice(width - 1, end - 1)
        right = slice(width + 1, end + 1) if column else slice(width, end)
        np.add(across[:, up], across[:, down], out=out)
        out += along[:, left]
        out += along[:, right]
        out += self._b[parity][:, width:end]
        return out

    def _points(self, arrays: dict[tuple[int, int], np.ndarray], parity: tuple[int, int]) -> np.ndarray:
        """Return the picture's points of one parity as (..., rows, columns), a view of the flat array."""
        flat = arrays[parity]
        grid = flat.reshape(*flat.shape[:-1], self._rows, self._columns)
        rows, columns = (self.height + 1 - parity[0]) // 2, (self.width + 1 - parity[1]) // 2
        return grid[..., 1 : 1 + rows, 1 : 1 + columns]
