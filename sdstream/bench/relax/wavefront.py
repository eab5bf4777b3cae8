"""Triangular solves in lexicographic order on a square grid, many systems at once, without a compiled loop.

In lexicographic order the unknown (i, j) waits for the west and north neighbours only, so a whole anti-diagonal
i + j = s can be solved at once: the same arithmetic as the row-by-row loop, in 2n - 1 vector steps. Fields are packed
anti-diagonal by anti-diagonal, with a column for each system: (n * n, systems).
"""

import numpy as np


class Wavefronts:
    """The packed order of an n x n grid, and A = diagonal - N_L - N_U scaled to couplings of 1."""

    def __init__(self, side: int) -> None:
        self.side = side
        i, j = np.divmod(np.arange(side * side), side)
        self.order = np.lexsort((i, i + j))
        """Packed position -> lexicographic index; (n * n,)."""
        lengths = [side - abs(side - 1 - s) for s in range(2 * side - 1)]
        self._starts = np.concatenate(([0], np.cumsum(lengths))).tolist()
        position = np.full((side + 2, side + 2), side * side)  # boundary points have the index of a row of zeros
        position[i[self.order] + 1, j[self.order] + 1] = np.arange(side * side)
        at = (i[self.order] + 1, j[self.order] + 1)
        self._north, self._south = position[at[0] - 1, at[1]], position[at[0] + 1, at[1]]
        self._west, self._east = position[at[0], at[1] - 1], position[at[0], at[1] + 1]

    def forward(self, right: np.ndarray, inverse: np.ndarray, out: np.ndarray) -> None:
        """Solve (diag - N_L) out = right, with inverse = 1 / diag per system, (systems,)."""
        np.copyto(out[:-1], right[:-1])
        starts, n = self._starts, self.side
        out[0] *= inverse
        for s in range(1, 2 * n - 1):
            before, here = out[starts[s - 1] : starts[s]], out[starts[s] : starts[s + 1]]
            if s < n:
                here[:-1] += before
                here[1:] += before
            else:
                here += before[:-1]
                here += before[1:]
            here *= inverse

    def backward(self, right: np.ndarray, inverse: np.ndarray, out: np.ndarray) -> None:
        """Solve (diag - N_U) out = right, with inverse = 1 / diag per system, (systems,)."""
        np.copyto(out[:-1], right[:-1])
        starts, n = self._starts, self.side
        out[-2] *= inverse
        for s in range(2 * n - 3, -1, -1):
            here, after = out[starts[s] : starts[s + 1]], out[starts[s + 1] : starts[s + 2]]
            if s < n - 1:
                here += after[:-1]
                here += after[1:]
            else:
                here[:-1] += after
                here[1:] += after
            here *= inverse

    def upper(self, field: np.ndarray, out: np.ndarray) -> None:
        """Put N_U field (east + south neighbours) into out."""
        np.add(field[self._east], field[self._south], out=out[:-1])

    def neighbours(self, field: np.ndarray, out: np.ndarray) -> None:
        """Put (N_L + N_U) field into out."""
        self.upper(field, out)
        out[:-1] += field[self._west]
        out[:-1] += field[self._north]

    def pack(self, fields: np.ndarray) -> np.ndarray:
        """Return lexicographic fields (n * n, systems) packed, with the boundary's row of zeros last."""
        packed = np.zeros((self.side**2 + 1, fields.shape[1]))
        packed[:-1] = fields[self.order]
        return packed
