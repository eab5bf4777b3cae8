"""Weighted averages of tensors, linear and along the sphere (slerp)."""

from collections.abc import Sequence

import torch
from torch import Tensor

PARALLEL = 0.9995
"""Cosine above which two directions count as equal, and a linear average is exact enough."""


def linear(parts: Sequence[tuple[Tensor, float]]) -> Tensor:
    """Average tensors of equal shape by weights >= 0, not all 0."""
    total = sum(weight for _, weight in parts)
    return torch.stack([part * (weight / total) for part, weight in parts]).sum(0)


def slerp(parts: Sequence[tuple[Tensor, float]], dims: tuple[int, ...] = (-1,)) -> Tensor:
    """Average along the sphere, vector by vector over `dims`; the vectors' lengths are averaged linearly.

    More than two parts are blended one after the other: part k has the share w_k / (w_1 + … + w_k).
    """
    blended, total = parts[0]
    for part, weight in parts[1:]:
        total += weight
        if weight > 0:
            blended = _between(blended, part, weight / total, dims)
    return blended


def _between(start: Tensor, end: Tensor, t: float, dims: tuple[int, ...]) -> Tensor:
    """Return slerp(start, end; t). [...] below is the shape of `start`, [1] the same with every `dims` reduced to 1."""
    a, b = (torch.linalg.vector_norm(v.float(), dim=dims, keepdim=True).clamp_min(1e-12) for v in (start, end))  # [1]
    u, v = start.float() / a, end.float() / b  # [...]
    cosine = (u * v).sum(dims, keepdim=True).clamp(-1, 1)  # [1]
    angle = torch.acos(cosine.clamp(-PARALLEL, PARALLEL))  # [1]
    spherical = (torch.sin((1 - t) * angle) * u + torch.sin(t * angle) * v) / torch.sin(angle)  # [...]
    direction = torch.where(cosine.abs() > PARALLEL, (1 - t) * u + t * v, spherical)  # [...]
    length: Tensor = (1 - t) * a + t * b  # [1]
    return (length * direction).to(start.dtype)
