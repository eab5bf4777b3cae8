"""Finds the vectors of a textual inversion by the tensors' names and shapes; no tensor is opened here."""

from collections.abc import Mapping, Sequence

from sdstream.engine.weights.file_kind import kind_of, place_of
from sdstream.errors import Unavailable

ALONE = ("emb_params", "*", "string_to_param", "string_to_param.*")
"""Names of the vectors in files for a single text encoder, by AUTOMATIC1111's trainer and its converters."""

TOWERS = ("clip_l", "clip_g")
"""Names of the vectors in files for SDXL, by text encoder."""


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
