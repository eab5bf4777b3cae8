"""Finds the prompt syntax of other programs: the text encoders would read such syntax as words."""

import re
from collections.abc import Iterator

_NET = re.compile(r"<(lora|lyco|hypernet)\s*:([^<>:]+)(?::([^<>]*))?>", re.IGNORECASE)
_EMBEDDING = re.compile(r"\bembedding:([^\s,()\[\]]+)", re.IGNORECASE)
_SCHEDULE = re.compile(r"\[[^\[\]:]*:(?:[^\[\]]*[:\s])?\d{0,4}\.?\d{1,6}\s?\]")
_ALTERNATION = re.compile(r"\[[^\[\]|]*\|[^\[\]]*\]")
_CHOICE = re.compile(r"\{[^{}]*\|[^{}]*\}")
_WILDCARD = re.compile(r"__[^\s_](?:[^\s]*?[^\s_])?__")
_AND = re.compile(r"\bAND\b(?:\s*:?\s*)")
_COMPEL = re.compile(r"\)(?:\++|-{2,}|\d*\.\d+|\d+)(?=[\s,.]|$)|\)\.(?:blend|and|swap)\(")
_KEYWORDS = re.compile(r"\b(ADDCOMM|ADDBASE|ADDCOL|ADDROW)\b")


def foreign_syntax(prompt: str) -> list[str]:
    """Return a remark for each kind of syntax of another program in `prompt`, with what to write instead."""
    return [f"{_shown(text)!r} is read as words: {advice}" for text, advice in _found(prompt)]


def _found(prompt: str) -> Iterator[tuple[str, str]]:
    if match := _NET.search(prompt):
        yield match[0], _net(*match.groups(default=""))
    if match := _EMBEDDING.search(prompt):
        word = match[1].rpartition("/")[2].removesuffix(".safetensors")
        yield (
            match[0],
            f"name the file as engine.embeddings: {{{word}: {word}.safetensors}}, and write {word} in the prompt",
        )
    for pattern, advice in _PLAIN:
        if match := pattern.search(prompt):
            yield match[0], advice


_PLAIN = (
    (_SCHEDULE, "a prompt does not change between the steps of a picture; use controls.cues for a change over time"),
    (_ALTERNATION, "words do not alternate between steps; mix prompts: prompt: {first: 1, second: 1}"),
    (_CHOICE, "nothing is chosen by chance; write one of the choices, or use controls.cues"),
    (_WILDCARD, "wildcards are not filled in; write the words themselves"),
    (_AND, "prompts are joined as a blend: prompt: {first: 1, second: 1}"),
    (_COMPEL, "write weights as (word:1.3), and a blend as prompt: {first: 1, second: 1}"),
    (_KEYWORDS, "regions of the picture have no prompts of their own; remove the word"),
)


def _net(kind: str, name: str, weight: str) -> str:
    name = name.strip()
    if kind.lower() == "hypernet":
        return "hypernetworks cannot be loaded; remove the tag"
    number = weight.split(":", maxsplit=1)[0].strip()
    told = number if re.fullmatch(r"-?\d*\.?\d+", number) else "1"
    return f"name the file as engine.loras: {{{name}: {name}.safetensors}}, and set controls.loras: {{{name}: {told}}}"


def _shown(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 60 else f"{text[:59]}…"
