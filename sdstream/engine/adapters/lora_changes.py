"""The change of a layer by a LoRA, for each published format: pair, LoHa, LoKr, DoRA, difference, whole weights.

The formulas are the formulas of PEFT and LyCORIS, at weight 1. At further weights a layer moves in a straight line from
the model's weights (0) through the LoRA's weights (1). Only DoRA bends the line in PEFT and in LyCORIS, each in a
different way; ComfyUI keeps the line straight, as here.
"""

from dataclasses import dataclass, fields, replace
from typing import Any, Self

import torch
import torch.nn.functional as F  # noqa: N812 - the name that every torch reader knows
from torch import Tensor, nn

LARGEST = 2**28
"""Numbers in a product, beyond the largest layer: small factors in a file may stand for a product of terabytes."""


class Misfit(ValueError):
    """Raised for a change whose shape is unlike the layer's: `found` and `expected` are shapes."""

    def __init__(self, found: tuple[int, ...] | None, expected: tuple[int, ...]) -> None:
        self.found, self.expected = found, expected
        stated = "contradictory" if found is None else str(list(found))
        super().__init__(f"the LoRA's shape is {stated}, and the model's shape is {list(expected)}")


@dataclass(frozen=True)
class Change:
    """The change of a parameter, made from tensors of the file."""

    def product(self) -> Tensor:
        """Return the change in float32, apart from trailing dimensions of size 1 and a flattened kernel."""
        raise NotImplementedError

    def size(self) -> int:
        """Return the number of numbers in the product, before any product is made."""
        return 0

    def delta(self, original: Tensor) -> Tensor:
        """Return the difference from `original` at weight 1, in float32; raises Misfit."""
        if self.size() > LARGEST:
            raise Misfit((self.size(),), tuple(original.shape))
        try:
            change = self.product()
        except RuntimeError as error:  # the factors contradict each other
            raise Misfit(None, tuple(original.shape)) from error
        return _fitted(change, original)

    def low_rank(self, layer: nn.Module, x: Tensor) -> Tensor | None:
        """Return the change of the layer's output for `x`, without the product; None where the product is needed."""
        del layer, x
        return None

    def to(self, like: Tensor) -> Self:
        """Return the change with all tensors in dtype and on device of `like`."""
        moved = {field.name: getattr(self, field.name) for field in fields(self)}
        return replace(
            self, **{name: part.to(like) for name, part in moved.items() if isinstance(part, Tensor | Change)}
        )


@dataclass(frozen=True)
class Pair(Change):
    """LoRA and LoCon: `scale * up @ down`, with a kernel between the two in CP decomposition."""

    down: Tensor  # [r, in] or [r, in, k, k]
    up: Tensor  # [out, r] or [out, r, 1, 1]
    scale: float
    middle: Tensor | None = None  # [r, r, k, k]

    def size(self) -> int:
        """Count the outputs, times the inputs with the kernel."""
        return int(self.up.shape[0]) * self.down[0].numel() * (1 if self.middle is None else self.middle[0, 0].numel())

    def product(self) -> Tensor:
        """Return the product of the matrices."""
        up, down = self.up.flatten(1).float(), self.down.flatten(1).float()
        if self.middle is not None:
            return self.scale * torch.einsum("m n ..., i m, n j -> i j ...", self.middle.float(), up, down)
        return (self.scale * up @ down).view(self.up.shape[0], *self.down.shape[1:])

    def low_rank(self, layer: Any, x: Tensor) -> Tensor | None:
        """Run the matrices one after the other."""
        down, up = self.down.to(x.dtype), self.up.to(x.dtype)
        if self.middle is not None or down.ndim != layer.weight.ndim or up.ndim != layer.weight.ndim:
            return None
        if down.ndim == 2:
            return self.scale * F.linear(F.linear(x, down), up)
        if layer.groups != 1:
            return None
        middle = F.conv2d(x, down, None, layer.stride, layer.padding, layer.dilation)
        return self.scale * F.conv2d(middle, up)


@dataclass(frozen=True)
class Hadamard(Change):
    """LoHa: the product, number by number, of two pairs (LyCORIS `functional/loha.py`)."""

    w1_a: Tensor  # [out, r], or [r, out] beside a kernel
    w1_b: Tensor  # [r, in * k * k], or [r, in] beside a kernel
    w2_a: Tensor
    w2_b: Tensor
    scale: float
    t1: Tensor | None = None  # [r, r, k, k]
    t2: Tensor | None = None

    def size(self) -> int:
        """Count the larger of both pairs' products."""
        pairs = ((self.w1_a, self.w1_b, self.t1), (self.w2_a, self.w2_b, self.t2))
        return max(_product_size(*pair) for pair in pairs)

    def product(self) -> Tensor:
        """Return the product of both pairs."""
        first = _rebuilt(self.w1_a, self.w1_b, self.t1)
        return first * _rebuilt(self.w2_a, self.w2_b, self.t2) * self.scale


@dataclass(frozen=True)
class Kronecker(Change):
    """LoKr: the Kronecker product of two matrices (LyCORIS `functional/lokr.py`)."""

    w1: Tensor  # [a, c]
    w2: Tensor  # [b, d] or [b, d, k, k]
    scale: float

    def size(self) -> int:
        """Count every number times every number."""
        return self.w1.numel() * self.w2.numel()

    def product(self) -> Tensor:
        """Return the Kronecker product."""
        w1 = self.w1.float()
        return torch.kron(w1.view(*w1.shape, *[1] * (self.w2.ndim - 2)), self.w2.float().contiguous()) * self.scale


@dataclass(frozen=True)
class Added(Change):
    """A full difference, times `scale`."""

    difference: Tensor
    scale: float = 1.0

    def product(self) -> Tensor:
        """Return the difference."""
        return self.scale * self.difference.float()


@dataclass(frozen=True)
class Whole(Change):
    """New numbers in place of the model's numbers."""

    numbers: Tensor

    def delta(self, original: Tensor) -> Tensor:
        """Return the way from the model's numbers to the new numbers."""
        return _fitted(self.numbers.float(), original) - original.float()


@dataclass(frozen=True)
class Decomposed(Change):
    """DoRA (arXiv 2402.09353): direction and magnitude of the weight change apart, around any further change."""

    inner: Change
    magnitude: Tensor  # [out, ...] or [1, in, ...], with 1 in place of the dots

    def delta(self, original: Tensor) -> Tensor:
        """Return the difference of the weight with the new direction and the new magnitude."""
        moved = original.float() + self.inner.delta(original)
        axis = _axis(self.magnitude, original)
        norm = torch.linalg.vector_norm(moved, dim=[d for d in range(moved.ndim) if d != axis], keepdim=True)
        factor: Tensor = self.magnitude.float().view(norm.shape) / (norm + torch.finfo(torch.float32).eps)
        return moved * factor - original.float()


def _axis(magnitude: Tensor, original: Tensor) -> int:
    """Return the weight's axis with a magnitude for each index; raises Misfit."""
    outputs, inputs = original.shape[:2]
    if magnitude.shape[0] == magnitude.numel() == outputs:
        return 0
    if magnitude.shape[0] == 1 and magnitude.numel() == inputs:
        return 1
    raise Misfit(tuple(magnitude.shape), (outputs,))


def _product_size(a: Tensor, b: Tensor, kernel: Tensor | None) -> int:
    if kernel is None:
        return int(a.shape[0]) * int(b.shape[-1])
    return int(a.shape[-1]) * int(b.shape[-1]) * kernel[0, 0].numel()


def _rebuilt(a: Tensor, b: Tensor, kernel: Tensor | None) -> Tensor:
    if kernel is None:
        return a.float() @ b.float()
    return torch.einsum("i j ..., j r, i p -> p r ...", kernel.float(), b.float(), a.float())


def _trimmed(shape: tuple[int, ...]) -> tuple[int, ...]:
    trimmed = tuple(shape)
    while trimmed and trimmed[-1] == 1:
        trimmed = trimmed[:-1]
    return trimmed


def _fitted(change: Tensor, original: Tensor) -> Tensor:
    """Give `change` the shape of `original`: a kernel may be flat, and a kernel of 1x1 absent. Raises Misfit."""
    flat = (original.shape[0], original[0].numel()) if original.ndim > 1 else tuple(original.shape)
    if tuple(change.shape) == flat or _trimmed(change.shape) == _trimmed(original.shape):
        return change.reshape(original.shape)
    raise Misfit(tuple(change.shape), tuple(original.shape))


def run(layer: Any, x: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:  # torch's layers differ
    """Run a layer with different numbers; None stands for zeros."""
    if weight is None:
        assert bias is not None, "a change has a weight or a bias"
        return bias if isinstance(layer, nn.Linear | nn.LayerNorm) else bias.view(1, -1, *[1] * (x.ndim - 2))
    if isinstance(layer, nn.Linear):
        return F.linear(x, weight, bias)
    if isinstance(layer, nn.Conv2d):
        return F.conv2d(x, weight, bias, layer.stride, layer.padding, layer.dilation, layer.groups)
    if isinstance(layer, nn.GroupNorm):
        return F.group_norm(x, layer.num_groups, weight, bias, layer.eps)
    return F.layer_norm(x, layer.normalized_shape, weight, bias, layer.eps)
