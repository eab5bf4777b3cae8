"""Finds the vectors of a textual inversion by the tensors' names and shapes; no tensor is opened here."""

import re
from collections.abc import Mapping, Sequence

from sdstream.engine.weights.file_kind import kind_of, place_of
from sdstream.errors import Unavailable

ALONE = ("emb_params", "*", "string_to_param", "string_to_param.*")
"""Names of the vectors in files for a single text encoder, by AUTOMATIC1111's trainer and its converters."""

TOWERS = ("clip_l", "clip_g")
"""Names of the vectors in files for SDXL, by text encoder."""


BUNDLE = "bundle_emb."
"""Start of the names of vectors inside a LoRA file, as OneTrainer and AUTOMATIC1111 write new words."""

_BUNDLED = re.compile(rf"{re.escape(BUNDLE)}([^\s():]{{1,64}}?)\.(clip_[lg]|emb_params|string_to_param(?:\.\*)?|\*)")


def bundled_words(shapes: Mapping[str, tuple[int, ...]], where: str, widths: Sequence[int]) -> dict[str, list[str]]:
    """Return, for each word inside a LoRA file, the name of the vectors for each text encoder; raises Unavailable.

    `widths` are the numbers of a token in each text encoder.
    """
    found: dict[str, dict[str, tuple[int, ...]]] = {}
    for key, shape in shapes.items():
        if not key.startswith(BUNDLE):
            continue
        match = _BUNDLED.fullmatch(key)
        if match is None:
            raise Unavailable(
                f"{where} has the tensor {key}, and sdstream cannot apply this part of a new word: expected "
                f"{BUNDLE}WORD.clip_l, clip_g, emb_params or string_to_param.*; choose a different LoRA"
            )
        found.setdefault(match[1], {})[match[2]] = shape
    words = {}
    for word, vectors in found.items():
        names = vector_names(vectors, f"{where}: the word {word!r}", widths)
        words[word] = [f"{BUNDLE}{word}.{name}" for name in names]
    return words


def vector_names(shapes: Mapping[str, tuple[int, ...]], where: str, widths: Sequence[int]) -> tuple[str, ...]:
    """Return the name of the vectors for each text encoder with tokens of `widths` numbers; raises Unavailable."""
    names = _names(shapes, where, len(widths))
    counts = []
    for name, width in zip(names, widths, strict=True):
        shape = (1, *shapes[name]) if len(shapes[name]) == 1 else shapes[name]
        if len(shape) != 2 or shape[1] != width or not shape[0]:
            raise Unavailable(
                f"{where} was made for a different base model: the vectors are {list(shape)}, and this model has "
                f"tokens of {width} numbers; choose an embedding for this model"
            )
        counts.append(shape[0])
    if len(set(counts)) != 1:
        raise Unavailable(
            f"{where} has {counts[0]} vectors for the first text encoder and {counts[1]} for the second: expected "
            "equal numbers"
        )
    return names


def _names(shapes: Mapping[str, tuple[int, ...]], where: str, towers: int) -> tuple[str, ...]:
    if towers == 2 and set(shapes) == set(TOWERS):
        return TOWERS
    if towers == 1 and len(shapes) == 1:
        (name,) = shapes
        if name in ALONE or name in TOWERS or "." not in name:  # diffusers names the vectors by the word
            return (name,)
    if kind_of(shapes) not in ("", "a textual inversion (an embedding)"):
        raise Unavailable(f"{where} is no embedding: the file {place_of(shapes)}")
    expected = " and ".join(TOWERS) if towers == 2 else "emb_params, or a single tensor named by the word,"
    found = ", ".join(sorted(shapes)[:3]) or "no tensor"
    raise Unavailable(f"{where} is no embedding for this model: expected {expected} and found {found}")
