"""Copies of a network with shared weights: a patched copy leaves the original unpatched.

Attention processors, hooks and replaced `forward` methods belong to module objects. The weights are
memory: a weight rewritten in place is rewritten in every copy.
"""

import copy
from typing import TypeVar

from torch import Tensor, nn

M = TypeVar("M", bound=nn.Module)


def copy_structure(module: M) -> M:
    """Return a copy of `module` and of all submodules, on the same weights and buffers in memory.

    Moving or converting the copy (`to`, `float`) leaves `module` unchanged.
    """
    shared = {id(tensor): _alias(tensor) for tensor in (*module.parameters(), *module.buffers())}
    return copy.deepcopy(module, shared)


def float_copy(module: M) -> M:
    """Return a copy of `module` in float32; weights already in float32 are shared."""
    return copy_structure(module).float()


def _alias(tensor: Tensor) -> Tensor:
    """Return a new tensor object on the same memory: converting a shared Parameter would convert both."""
    if isinstance(tensor, nn.Parameter):
        return nn.Parameter(tensor.detach(), requires_grad=tensor.requires_grad)
    return tensor.detach()
