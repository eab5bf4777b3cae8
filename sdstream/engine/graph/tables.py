"""The fixed buffers of a recorded frame: written by small copies between two frames, never replaced."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from sdstream.engine.denoising.row_numbers import RowNumbers
from sdstream.engine.graph.shape import Shape
from sdstream.engine.size import Size


@dataclass(frozen=True)
class Columns:
    """The widths of the tables that the U-Net reads."""

    time: int
    prompt: int
    dtype: torch.dtype


class Inputs(NamedTuple):
    """The buffers that a frame reads, for a shape."""

    pixels: Tensor  # [H, W, 3] uint8
    x: Tensor  # [stages, c, h, w]
    ref: Tensor  # [stages, c, h, w]
    enter: Tensor  # [1, c, h, w]
    onward: Tensor  # [stages, c, h, w]
    numbers: Tensor  # [stages, numbers of a row]
    time: Tensor  # [rows, columns]
    prompt: Tensor  # [rows, tokens, columns]


class Tables:
    """The buffers for a number of stages. A shape reads the first rows of `time` and of a table of prompts."""

    def __init__(self, x: Tensor, ref: Tensor, size: Size, columns: Columns, tokens: int) -> None:
        """`x` and `ref` [stages, c, h, w] are the rows of Stream Batch; `tokens` is the number in a stretch."""
        stages, device = len(x), x.device
        width, height = size
        self.x, self.ref = x, ref
        self._columns, self._tokens = columns, tokens
        with torch.inference_mode(False):  # a buffer of inference mode could not be written outside
            self.pixels = torch.zeros(height, width, 3, dtype=torch.uint8, device=device)
            """The camera picture."""
            self.picture = torch.zeros_like(self.pixels)
            """The restyled picture."""
            self.enter = torch.zeros(1, *x.shape[1:], device=device)
            """ε of stage 0."""
            self.onward = torch.zeros(x.shape, device=device)
            """Scaled ε of a row on the way to the next stage, from the frame in the row now: [stages, c, h, w]."""
            self.numbers = torch.zeros(stages, len(RowNumbers._fields), device=device)
            self.time = torch.zeros(2 * stages, columns.time, dtype=columns.dtype, device=device)
            """Time projections; negative rows follow the rows of the stages."""
        self._prompts: dict[int, Tensor] = {}

    def prompts(self, stretches: int) -> Tensor:
        """Return keys and values of each row's prompt, for prompts of up to `stretches`.  # [2 stages, tokens, columns]

        A shorter prompt stands several times in its row: repeated keys and values leave the attention unchanged.
        """
        if stretches not in self._prompts:
            size = len(self.time), stretches * self._tokens, self._columns.prompt
            with torch.inference_mode(False):
                self._prompts[stretches] = torch.zeros(size, dtype=self._columns.dtype, device=self.x.device)
        return self._prompts[stretches]

    def inputs(self, shape: Shape) -> Inputs:
        """Return the buffers for the frames of `shape`."""
        time, prompt = self.time[: shape.rows], self.prompts(shape.stretches)[: shape.rows]
        return Inputs(self.pixels, self.x, self.ref, self.enter, self.onward, self.numbers, time, prompt)
