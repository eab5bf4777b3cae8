"""Prompts: the weight syntax, and what the U-Net is told about a frame."""

import math
import re
from dataclasses import dataclass

from torch import Tensor

WEIGHT_LIMIT = 4.0
"""Weights are clamped to ± this: beyond it a word drowns the picture in noise."""

STRESS = 1.1
"""What one pair of round brackets multiplies by, and square ones divide by."""

_PIECE = re.compile(r"\\[()\[\]\\]|[()\[\]]|[^()\[\]\\]+|\\")
_PAIRS = {")": "(", "]": "["}


@dataclass(frozen=True, eq=False)
class Embedding:
    """One encoded prompt; compared by identity, so keep and reuse it."""

    tokens: Tensor  # [tokens, dim]
    pooled: Tensor | None = None  # [dim], for models that take one


@dataclass(frozen=True)
class Condition:
    """What the U-Net is told about a frame."""

    positive: Embedding
    negative: Embedding
    scales: tuple[float, ...] = ()
    """Of each ControlNet."""
    loras: tuple[float, ...] = ()
    """Weight of each LoRA."""
    distilled: float = 1.0
    """Guidance scale for a U-Net that takes it as an input."""


def parse_weights(prompt: str) -> list[tuple[str, float]]:
    r"""Split a prompt into parts with weights, in time linear in its length, at any depth of nesting.

    `(word)` is 1.1, `[word]` 1/1.1, `(word:1.3)` 1.3, and nested brackets multiply; `\(` is a bracket to be
    read. An unmatched bracket, or a weight that is no finite number, is text. Weights are clamped to ±4.
    """
    pieces = _PIECE.findall(prompt)
    factors = _match(pieces)
    parts: list[tuple[list[str], float]] = []
    weights = [1.0]
    for place, piece in enumerate(pieces):
        if place in factors and piece in _PAIRS.values():
            weights.append(max(-1e9, min(1e9, weights[-1] * factors[place])))  # inf * 0 would be NaN
        elif place in factors:
            weights.pop()
        else:
            text = piece[1:] if len(piece) == 2 and piece[0] == "\\" else piece
            weight = max(-WEIGHT_LIMIT, min(WEIGHT_LIMIT, weights[-1]))
            if not parts or parts[-1][1] != weight:
                parts.append(([], weight))
            parts[-1][0].append(text)
    joined = [("".join(texts), weight) for texts, weight in parts]
    return [(text, weight) for text, weight in joined if text]


def _match(pieces: list[str]) -> dict[int, float]:
    """Return the factor of each matched bracket by place; cut the `:1.3` off the text before its bracket."""
    factors: dict[int, float] = {}
    opened: list[int] = []
    for place, piece in enumerate(pieces):
        if piece in _PAIRS.values():
            opened.append(place)
        elif piece in _PAIRS and opened and pieces[opened[-1]] == _PAIRS[piece]:
            factor = 1 / STRESS
            if piece == ")":
                pieces[place - 1], factor = _stated(pieces[place - 1])
            factors[opened.pop()] = factors[place] = factor
    return factors


def _stated(text: str) -> tuple[str, float]:
    head, colon, tail = text.rpartition(":")
    if colon and len(tail) <= 32:
        try:
            weight = float(tail)
        except ValueError:
            weight = math.nan
        if math.isfinite(weight):
            return head, weight
    return text, STRESS
