"""Red-black SOR in torch, on the CPU or a GPU: the system and the sweeps of `red_black`, without host synchronisation.

Omega is a scalar in device memory and no buffer ever moves, so on a GPU the sweeps are compiled, captured once as a
CUDA graph, and replayed for every frame with the learner's omega.
"""

import functools
import math

import numpy as np
import torch

from sdstream.relax.red_black import PARITIES, Sweeps, neighbour_count

_SPAN = 4
"""Number of last sweeps for the measured contraction."""

Parity = tuple[int, int]


def update(
    x: torch.Tensor, across: torch.Tensor, along: torch.Tensor, b: torch.Tensor, scale: torch.Tensor, parity: Parity
) -> torch.Tensor:
    """Update the points of a parity in place; return the change, [c, rows, columns].

    `x`, `across` (the points above and below) and `along` (left and right) [c, rows + 2, columns + 2] with a border of
    zeros; `b` [c, rows, columns]; `scale` [2, rows, columns]: omega / diagonal, and omega at the points of the picture.
    """
    (row, column), (rows, columns) = parity, b.shape[1:]
    inner = x[:, 1:-1, 1:-1]
    vertical = across[:, row : row + rows, 1:-1] + across[:, row + 1 : row + 1 + rows, 1:-1]
    horizontal = along[:, 1:-1, column : column + columns] + along[:, 1:-1, column + 1 : column + 1 + columns]
    change = scale[0] * (b + vertical + horizontal) - scale[1] * inner
    inner += change
    return change


class RedBlackTorch:
    """The solver for a fixed picture size and number of sweeps: `RedBlack` on torch, plus `launch` and `measured`."""

    def __init__(self, height: int, width: int, channels: int, count: int, device: str = "cpu") -> None:
        self.height, self.width, self.channels, self.count = height, width, channels, count
        self._device = torch.device(device)
        rows, columns = (height + 1) // 2, (width + 1) // 2
        zeros = functools.partial(torch.zeros, dtype=torch.float32, device=self._device)
        self._x = {p: zeros((channels, rows + 2, columns + 2)) for p in PARITIES}
        self._b = {p: zeros((channels, rows, columns)) for p in PARITIES}
        self._diagonal = {p: zeros((2, rows, columns)) for p in PARITIES}  # 1 / diagonal, and 1
        self._omega = zeros(()) + 1.0
        self._squares = zeros((2,))  # squared corrections: of the sweep _SPAN before the last, and of the last sweep
        self._degree = torch.from_numpy(neighbour_count(height, width)).to(self._device)
        self._update = torch.compile(update, dynamic=False) if self._device.type == "cuda" else update
        self._graph: torch.cuda.CUDAGraph | None = None

    def load(self, c: np.ndarray | torch.Tensor, b: np.ndarray | torch.Tensor, x: np.ndarray | torch.Tensor) -> None:
        """Take the system: screening c [h, w] >= 0, right side b and first guess x [c, h, w]."""
        screening, right, guess = (torch.as_tensor(part).to(self._device, torch.float32) for part in (c, b, x))
        inverse = 1.0 / (screening + self._degree)
        for p in PARITIES:
            row, column = p
            points = (slice(None), *self._points(p))
            self._diagonal[p][points] = torch.stack([inverse, torch.ones_like(inverse)])[:, row::2, column::2]
            self._b[p][points] = right[:, row::2, column::2]
            self._x[p][:, 1:-1, 1:-1][points] = guess[:, row::2, column::2]

    def launch(self, omega: float | torch.Tensor) -> None:
        """Start the sweeps with `omega`, and return at once."""
        if isinstance(omega, torch.Tensor):
            self._omega.copy_(omega)
        else:
            self._omega.fill_(omega)
        if self._device.type != "cuda":
            self._sweeps()
            return
        if self._graph is None:
            self._graph = self._captured()
        self._graph.replay()

    def measured(self) -> Sweeps:
        """Wait for the sweeps, and return the measurements: at any time before the next `launch`."""
        early, late = self._squares.tolist()
        unknowns = self.height * self.width * self.channels
        contraction = (late / early) ** (0.5 / _SPAN) if early > 0.0 else 1.0
        return Sweeps(self.count, math.sqrt(late / unknowns) / float(self._omega), contraction)

    def solution(self) -> torch.Tensor:
        """Return a copy of the present iterate on the device, [c, h, w]."""
        out = torch.empty(self.channels, self.height, self.width, device=self._device)
        for p in PARITIES:
            out[:, p[0] :: 2, p[1] :: 2] = self._x[p][:, 1:-1, 1:-1][(slice(None), *self._points(p))]
        return out

    def x(self) -> np.ndarray:
        """Wait for the sweeps, and return a copy of the present iterate on the host, (c, h, w)."""
        return np.asarray(self.solution().cpu().numpy())

    def sweep(self, omega: float, count: int) -> Sweeps:
        """Do the sweeps and wait. Raises ValueError for a `count` other than the solver's."""
        if count != self.count:
            raise ValueError(f"this solver was captured with {self.count} sweeps: expected {self.count}, got {count}")
        self.launch(omega)
        return self.measured()

    def _sweeps(self) -> None:
        scales = {p: self._diagonal[p] * self._omega for p in PARITIES}
        squares = []
        for k in range(1, self.count + 1):
            changes = []
            for p in PARITIES:
                across, along = self._x[(1 - p[0], p[1])], self._x[(p[0], 1 - p[1])]
                changes.append(self._update(self._x[p], across, along, self._b[p], scales[p], p))
            if k in (self.count - _SPAN, self.count):
                squares.append(torch.stack([change.square().sum() for change in changes]).sum())
        self._squares.copy_(torch.stack(squares if len(squares) == 2 else [torch.zeros_like(squares[0]), *squares]))

    def _captured(self) -> torch.cuda.CUDAGraph:
        """Compile and warm up on a side stream (a requirement of CUDA graphs), capture, and restore the iterate."""
        kept = {p: self._x[p].clone() for p in PARITIES}
        side = torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(side):
            for _ in range(3):
                self._sweeps()
        torch.cuda.current_stream(self._device).wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self._sweeps()
        for p in PARITIES:
            self._x[p].copy_(kept[p])
        return graph

    def _points(self, parity: Parity) -> tuple[slice, slice]:
        """Return the (rows, columns) of a parity inside the picture: odd sizes lack the last row or column."""
        row, column = parity
        return slice(0, (self.height + 1 - row) // 2), slice(0, (self.width + 1 - column) // 2)
