"""Convolutions in int8: inputs rounded to 256 levels, weights to 255 for each output channel.

OpenVINO's CPU plugin runs a convolution with such inputs and weights by int8 instructions. The instructions of a CPU
without VNNI help too: four int8 numbers fit into the space of a float32.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import cast

import torch
from torch import Tensor, nn

from sdstream.engine.weights.activation_ranges import Ranges

_LEVELS = 255
"""The highest level of an input; the lowest is 0."""

_LARGEST = 127
"""The largest level of a weight; the smallest is -127."""


@contextmanager
def rounded(module: nn.Module, ranges: Ranges) -> Iterator[None]:
    """Make the convolutions in `ranges` compute in int8 within the `with` block, such as while tracing the module."""
    parts = {name: cast(nn.Conv2d, module.get_submodule(name)) for name in ranges}
    for name, part in parts.items():
        part.forward = partial(_convolve, part, *ranges[name])  # type: ignore[method-assign]  # hides the class's method
    try:
        yield
    finally:
        for part in parts.values():
            del part.forward


def _convolve(part: nn.Conv2d, low: float, high: float, x: Tensor) -> Tensor:
    """Convolve x [n, c, h, w] in int8. Values of x outside of low..high are clamped."""
    step = (high - low) / _LEVELS
    inputs = torch.fake_quantize_per_tensor_affine(x, step, round(-low / step), 0, _LEVELS)  # [n, c, h, w]
    steps = part.weight.detach().abs().amax((1, 2, 3)).clamp_min(1e-12) / _LARGEST  # [output channels]
    zeros = torch.zeros(len(steps), dtype=torch.int32)  # [output channels]
    weights = torch.fake_quantize_per_channel_affine(part.weight.detach(), steps, zeros, 0, -_LARGEST, _LARGEST)
    result: Tensor = part._conv_forward(inputs, weights, part.bias)  # [n, output channels, h, w]
    return result
