"""Chooses the solver: numpy on a CPU core, or torch on a GPU."""

from typing import TYPE_CHECKING, Protocol

import numpy as np

from sdstream.config.stabilise import Device
from sdstream.errors import Unavailable
from sdstream.relax.red_black import RedBlack, Sweeps
from sdstream.system.installation import extra_line

if TYPE_CHECKING:
    from sdstream.relax.red_black_torch import RedBlackTorch


class Solver(Protocol):
    """Red-black SOR for a fixed picture size."""

    def load(self, c: np.ndarray, b: np.ndarray, x: np.ndarray) -> None:
        """Take the system: screening c (h, w), right side b and first guess x (3, h, w)."""

    def sweep(self, omega: float, count: int) -> Sweeps:
        """Do `count` sweeps."""

    def x(self) -> np.ndarray:
        """Return the present iterate, (3, h, w) float32."""


def open_solver(device: Device, height: int, width: int, count: int) -> Solver:
    """Return a solver for pictures of three channels and `count` sweeps a frame. Raises Unavailable."""
    if device == "cpu":
        return RedBlack(height, width, 3)
    return gpu_solver(height, width, count)


def gpu_solver(height: int, width: int, count: int) -> "RedBlackTorch":
    """Return a solver on the GPU for pictures of three channels and `count` sweeps a frame. Raises Unavailable."""
    try:
        import torch

        from sdstream.relax.red_black_torch import RedBlackTorch
    except ImportError as error:
        raise Unavailable(f"steadiness on a GPU needs torch; type: {extra_line('diffusion')}") from error
    if not torch.cuda.is_available():
        raise Unavailable("steadiness on a GPU needs CUDA, and torch finds no CUDA device; try: sdstream doctor")
    return RedBlackTorch(height, width, 3, count, "cuda")
