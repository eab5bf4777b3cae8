"""Makes the change of a layer from the layer's tensors, by the roles of `lora_names`; a used tensor leaves the dict."""

from collections.abc import Mapping

import torch
from torch import Tensor

from sdstream.engine.adapters.lora_changes import LARGEST, Added, Change, Decomposed, Hadamard, Kronecker, Pair, Whole

Tensors = dict[str, Tensor]
"""The tensors of a layer by role."""

HADAMARD = ("hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b")

_RANKS = ("down", "hada_w1_b", "lokr_w1_b", "lokr_w2_b")
"""Roles of tensors with the rank as the first dimension."""


def rank_of(tensors: Mapping[str, Tensor]) -> int | None:
    """Return the rank of a layer's change; None for a change without a rank."""
    return next((int(tensors[role].shape[0]) for role in _RANKS if role in tensors and tensors[role].ndim), None)


def scalable(tensors: Mapping[str, Tensor]) -> bool:
    """Return whether an alpha has a meaning beside these tensors."""
    return any(role in _RANKS or role.startswith(("up", "hada_", "lokr_")) for role in tensors)


def make_weight(tensors: Tensors, scale: float) -> Change | None:
    """Return the change of the layer's weight, or None; raises ValueError for an incomplete change."""
    change = _plain(tensors, scale)
    if change is None:
        return None
    if "magnitude" in tensors:
        return Decomposed(change, tensors.pop("magnitude"))
    if "magnitude of outputs" in tensors:
        return Decomposed(change, tensors.pop("magnitude of outputs").reshape(-1, 1))
    return change


def make_bias(tensors: Tensors, scale: float) -> Change | None:
    """Return the change of the layer's bias, or None."""
    if "up bias" in tensors:
        return Added(tensors.pop("up bias"), scale)
    for role in ("bias difference", "norm bias"):
        if role in tensors:
            return Added(tensors.pop(role))
    return Whole(tensors.pop("whole bias")) if "whole bias" in tensors else None


def _plain(tensors: Tensors, scale: float) -> Change | None:
    if "down" in tensors or "up" in tensors:
        down, up = _all(tensors, ("down", "up"), "only half of the pair: expected a down matrix and an up matrix")
        return Pair(down, up, scale, tensors.pop("middle", None))
    if any(role.startswith("hada_") for role in tensors):
        w1_a, w1_b, w2_a, w2_b = _all(tensors, HADAMARD, "only a part of a LoHa")
        t1, t2 = tensors.pop("hada_t1", None), tensors.pop("hada_t2", None)
        return Hadamard(w1_a, w1_b, w2_a, w2_b, scale, t1, t2)
    if any(role.startswith("lokr_") for role in tensors):
        return Kronecker(_factor(tensors, "lokr_w1"), _factor(tensors, "lokr_w2"), scale)
    for role in ("difference", "norm"):
        if role in tensors:
            return Added(tensors.pop(role))
    return Whole(tensors.pop("whole")) if "whole" in tensors else None


def _factor(tensors: Tensors, name: str) -> Tensor:
    if name in tensors:
        return tensors.pop(name)
    a, b = _all(tensors, (f"{name}_a", f"{name}_b"), "only a part of a LoKr")
    kernel = tensors.pop(name.replace("w", "t"), None)
    outputs = a.shape[0] if kernel is None else a.shape[-1] * kernel[0, 0].numel()
    if outputs * b.shape[-1] > LARGEST:
        raise ValueError(f"has a {name} of {outputs * b.shape[-1]} numbers: no layer is so large")
    if kernel is None:
        return a.float() @ b.float()
    return torch.einsum("i j k l, i p, j r -> p r k l", kernel.float(), a.float(), b.float())


def _all(tensors: Tensors, roles: tuple[str, ...], problem: str) -> tuple[Tensor, ...]:
    if missing := [role for role in roles if role not in tensors]:
        raise ValueError(f"has {problem}; {missing[0]} is missing")
    return tuple(tensors.pop(role) for role in roles)
