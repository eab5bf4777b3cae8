"""The weight syntax of prompts: `(word:1.3)`, `(word)` and `[word]`."""

import math
import re

WEIGHT_LIMIT = 4.0
"""Weights are clamped to ± WEIGHT_LIMIT: a word with a larger weight gives a picture of noise."""

STRESS = 1.1
"""A pair of round brackets multiplies the weight by STRESS, a pair of square brackets divides by STRESS."""

_PIECE = re.compile(r"\\[()\[\]\\]|[()\[\]]|[^()\[\]\\]+|\\")
_PAIRS = {")": "(", "]": "["}


def parse_weights(prompt: str) -> list[tuple[str, float]]:
    r"""Split a prompt into parts with weights, in time linear in its length, at any depth of nesting.

    `(word)` has weight 1.1, `[word]` 1/1.1, `(word:1.3)` 1.3; nested brackets multiply. `\(` is a bracket of the text.
    An unmatched bracket is text, and so is a weight other than a finite number. Weights are clamped to ±4.
    """
    pieces = _PIECE.findall(prompt)
    factors = _match(pieces)
    parts: list[tuple[list[str], float]] = []
    weights = [1.0]
    for index, piece in enumerate(pieces):
        if index in factors and piece in _PAIRS.values():
            weights.append(max(-1e9, min(1e9, weights[-1] * factors[index])))  # inf * 0 would be NaN
        elif index in factors:
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
    """Return the factor of each matched bracket by the bracket's index, and cut `:1.3` off the text in `pieces`."""
    factors: dict[int, float] = {}
    opened: list[int] = []
    for index, piece in enumerate(pieces):
        if piece in _PAIRS.values():
            opened.append(index)
        elif piece in _PAIRS and opened and pieces[opened[-1]] == _PAIRS[piece]:
            factor = 1 / STRESS
            if piece == ")":
                pieces[index - 1], factor = _explicit_weight(pieces[index - 1])
            factors[opened.pop()] = factors[index] = factor
    return factors


def _explicit_weight(text: str) -> tuple[str, float]:
    """Split `word:1.3` into text and weight; the weight is STRESS without a finite number after the last colon."""
    head, colon, tail = text.rpartition(":")
    if colon and len(tail) <= 32:
        try:
            weight = float(tail)
        except ValueError:
            weight = math.nan
        if math.isfinite(weight):
            return head, weight
    return text, STRESS
