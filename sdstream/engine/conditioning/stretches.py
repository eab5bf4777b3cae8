"""Prompts of any length as stretches of an encoder's length: begin, 75 tokens of text, end, padding.

A stretch is encoded on its own, and the stretches lie one behind the other for the U-Net, as in AUTOMATIC1111's web UI,
ComfyUI, compel and diffusers' community pipelines (lpw).
"""

import re
from collections.abc import Iterator, Sequence

from sdstream.engine.conditioning.prompt_weights import parse_weights
from sdstream.engine.conditioning.tower import Tower, Weighted

MOST = 8
"""Stretches of a prompt at most, which are 600 tokens: the U-Net's attention and the prompt cache grow with each."""

BREAK = re.compile(r"\s*\bBREAK\b\s*")
"""The word for a new stretch, in capitals, as in AUTOMATIC1111's web UI."""


def stretches(tower: Tower, prompt: str, *, cut: bool) -> tuple[list[list[Weighted]], bool]:
    """Return the stretches of `prompt` for `tower`, and whether tokens were left out.

    The tokens of a textual inversion stay in one stretch. An empty stretch is left out, unless the prompt is empty.
    `cut` reads the first 75 tokens only, and takes BREAK for a space. No more than `MOST` stretches are returned.
    """
    if cut:
        flat: list[Weighted] = []
        for tokens in _tokens(tower, prompt):
            flat += tokens
            if len(flat) > tower.room:  # thousands of parts may follow, each a call of the tokenizer
                break
        return [_whole(tower, flat[: tower.room])], len(flat) > tower.room
    texts: list[list[Weighted]] = [[]]
    for tokens in _tokens(tower, prompt):
        for start in range(0, len(tokens), tower.room):
            piece = tokens[start : start + tower.room]
            if len(texts[-1]) + len(piece) > tower.room:
                texts.append([])
            texts[-1] += piece
        if not tokens and texts[-1]:
            texts.append([])
        if len(texts) > MOST and texts[-1]:
            break
    full = [_whole(tower, text) for text in texts if text] or [_whole(tower, [])]
    return full[:MOST], len(full) > MOST


def is_long(tower: Tower, prompt: str) -> bool:
    """Return whether `prompt` has several stretches; short prompts are told without the tokenizer."""
    if len(prompt.encode()) <= tower.room and not tower.words and not BREAK.search(prompt):
        return False
    return len(stretches(tower, prompt, cut=False)[0]) > 1


def padding(tower: Tower, count: int) -> list[list[Weighted]]:
    """Return `count` stretches of the empty prompt."""
    return [_whole(tower, []) for _ in range(count)]


def _tokens(tower: Tower, prompt: str) -> Iterator[Sequence[Weighted]]:
    """Yield the tokens of each entry of the tokenizer's vocabulary; no tokens for BREAK."""
    for part, weight in parse_weights(prompt):
        for place, text in enumerate(BREAK.split(part)):
            if place:
                yield ()
            for number in tower.tokenizer(text, add_special_tokens=False, verbose=False).input_ids:
                yield [(token, weight) for token in tower.words.get(number, (number,))]


def _whole(tower: Tower, text: Sequence[Weighted]) -> list[Weighted]:
    tokenizer = tower.tokenizer
    ids = [(tokenizer.bos_token_id, 1.0), *text, (tokenizer.eos_token_id, 1.0)]
    return ids + [(tokenizer.pad_token_id, 1.0)] * (tower.room + 2 - len(ids))
