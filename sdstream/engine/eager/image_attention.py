"""Attention to the pictures of IP-Adapters: for each picture, extra keys and values in each cross-attention layer.

`Any` stands for diffusers' modules: the attributes have no static types.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own documentation uses this name
from torch import Tensor

from sdstream.engine.conditioning.condition import Embedding

Matrices = tuple[Tensor, Tensor]
"""From a picture's tokens to keys and to values.  # [hidden, width] each"""

KEPT = 8
"""Pictures whose keys and values stay in a layer's cache beside the pictures in use."""


def split_heads(attn: Any, t: Tensor) -> Tensor:
    """Split off the heads.  # [rows, tokens, heads * d] -> [rows, heads, tokens, d]"""
    return t.view(*t.shape[:-1], attn.heads, -1).transpose(1, 2)


class ImageLayer:
    """A cross-attention layer's keys and values of the pictures of the current call, by adapter."""

    def __init__(self, attention: Any, matrices: Sequence[Matrices], pictures: "Pictures") -> None:
        self._attention, self._matrices, self._pictures = attention, matrices, pictures
        self._cached: dict[tuple[int, Embedding], tuple[Tensor, Tensor]] = {}  # each [1, heads, tokens, d]
        self._current: list[tuple[Tensor, Tensor]] = []  # each [rows, heads, tokens, d]

    def add(self, q: Tensor, attended: Tensor) -> Tensor:
        """Add each picture's part, weighted by row.  # [rows, heads, n, d], [rows, n, dim] -> [rows, n, dim]"""
        pictures = self._pictures
        for index, scale in enumerate(pictures.scales):
            if pictures.cached:
                k, v = self._current[index]
            else:
                k, v = self._compute(index, pictures.tokens[index])
            part = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)  # [rows, n, dim]
            attended = attended + scale * part
        return attended

    def select(self, rows: Sequence[Sequence[Embedding]]) -> None:
        """Set the pictures of each row of the next call, with keys and values from the cache."""
        self._current = []
        for index in range(len(self._matrices)):
            pairs = [self._pair(index, row[index]) for row in rows]
            self._current.append((torch.cat([k for k, _ in pairs]), torch.cat([v for _, v in pairs])))
        used = {(index, embedding) for row in rows for index, embedding in enumerate(row)}
        unused = [key for key in self._cached if key not in used]
        for key in unused[: max(0, len(unused) - KEPT)]:
            del self._cached[key]

    def _pair(self, index: int, embedding: Embedding) -> tuple[Tensor, Tensor]:
        key = index, embedding
        if key not in self._cached:
            self._cached[key] = self._compute(index, embedding.tokens.unsqueeze(0))
        return self._cached[key]

    def _compute(self, index: int, tokens: Tensor) -> tuple[Tensor, Tensor]:
        to_k, to_v = self._matrices[index]
        return split_heads(self._attention, F.linear(tokens, to_k)), split_heads(
            self._attention, F.linear(tokens, to_v)
        )


class Pictures:
    """The pictures and weights of the rows of the current call, for all cross-attention layers.

    A weight of 0 is computed too: leaving a picture out would be new code for torch.compile, in the middle of a show.
    """

    def __init__(self, matrices: Mapping[str, Sequence[Matrices]], *, cached: bool) -> None:
        """`matrices` by the name of the attention processor; `cached` keeps keys and values from call to call."""
        self._matrices = matrices
        self.cached = cached
        self._layers: list[ImageLayer] = []
        self._rows: tuple[tuple[Embedding, ...], ...] = ()
        self._weights: tuple[tuple[float, ...], ...] = ()
        self.scales: list[Tensor] = []
        """Weight of each row, by adapter.  # [rows, 1, 1] each"""
        self.tokens: list[Tensor] = []
        """Tokens of each row, by adapter; without a cache.  # [rows, tokens, width] each"""

    def layer(self, name: str, attention: Any) -> ImageLayer | None:
        """Make the part of a cross-attention layer; None without adapters."""
        if name not in self._matrices:
            return None
        self._layers.append(ImageLayer(attention, self._matrices[name], self))
        return self._layers[-1]

    def select(self, rows: Sequence[tuple[Embedding, ...]], weights: Sequence[tuple[float, ...]]) -> None:
        """Set pictures and weights of each row of the next call, by adapter; rows without pictures have none."""
        if tuple(weights) != self._weights or len(self.scales) != len(rows[0]):
            self._weights = tuple(weights)
            self.scales = self._scales(weights) if rows[0] else []
        if tuple(rows) == self._rows:
            return
        self._rows = tuple(rows)
        if self.cached:
            for layer in self._layers:
                layer.select(self._rows)
        else:
            self.tokens = [torch.stack([embedding.tokens for embedding in each]) for each in zip(*rows, strict=True)]

    def _scales(self, weights: Sequence[tuple[float, ...]]) -> list[Tensor]:
        first = next(iter(self._matrices.values()))[0][0]  # gives dtype and device
        table = torch.tensor(weights, dtype=first.dtype, device=first.device)  # [rows, adapters]
        return [column.view(-1, 1, 1) for column in table.unbind(1)]
