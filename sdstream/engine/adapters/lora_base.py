"""Tells what a file under `engine.loras` holds, and for which base model a LoRA was made, from names and shapes."""

from collections.abc import Mapping

from sdstream.engine.adapters.lora_roles import PREFIXES, role_of
from sdstream.engine.conditioning.inversion_names import BUNDLE
from sdstream.engine.weights.base_model import BaseModel, base_name
from sdstream.engine.weights.file_kind import kind_of, place_of
from sdstream.engine.weights.files import Header

_KINDS = ("a whole checkpoint", "a U-Net", "a full autoencoder", "a ControlNet", "an IP-Adapter",
          "a textual inversion (an embedding)", "a tiny autoencoder")  # fmt: skip
"""Kinds of file without a change of a model."""


def obstacle(header: Header, base: BaseModel | None) -> str | None:
    """Return why a file cannot be a LoRA for `base`, as the end of a sentence that begins with the file; None if so."""
    roles = {key: found[1] if (found := role_of(key)) else None for key in header.shapes if not key.startswith(BUNDLE)}
    whole = all(role is None or role.startswith("whole") for role in roles.values())
    if whole and kind_of(header.shapes) in _KINDS:
        return place_of(header.shapes)
    if unknown := [key for key, role in roles.items() if role is None]:
        return cannot_apply(min(unknown))
    if whole and roles:
        return (
            f"holds whole weights only, such as {min(roles)}, and no change of a model: if the file is a model, set "
            "engine.model to the file or to the model's folder"
        )
    if base is None or (base.xl and _has_second_tower(header.shapes)):
        return None
    width = _width(header.shapes)
    return None if width in (None, base.width) else other_base(header, base)


def cannot_apply(key: str) -> str:
    """Return the end of a sentence about a file with a tensor of a format without support."""
    return (
        f"has the tensor {key}, and sdstream cannot apply this tensor: expected LoRA, LoCon, DoRA, LoHa, LoKr, a full "
        "difference, norms or whole weights, for layers of this model; choose a different LoRA"
    )


def other_base(header: Header, base: BaseModel) -> str:
    """Return the end of a sentence with the LoRA's base model and with `base`."""
    width = _width(header.shapes)
    stated = header.metadata.get("modelspec.architecture") or header.metadata.get("ss_base_model_version")
    theirs = base_name(width) if width is not None else stated or "a base model that the file does not tell"
    return (
        f"was made for a different base model: the LoRA is for {theirs}, and this model is "
        f"{base_name(base.width)}; choose a LoRA for this model"
    )


def _has_second_tower(shapes: Mapping[str, tuple[int, ...]]) -> bool:
    prefixes = tuple(prefix for prefix, part in PREFIXES.items() if part == "text_encoder_2")
    return any(key.startswith(prefixes) for key in shapes)


def _width(shapes: Mapping[str, tuple[int, ...]]) -> int | None:
    """Return the width of the prompt's tokens, from a layer for prompts; None without such a layer."""
    if _has_second_tower(shapes):
        return 2048
    widths = {
        shape[1]
        for key, shape in shapes.items()
        if "attn2" in key and ("to_k" in key or "to_v" in key) and len(shape) > 1
        if (found := role_of(key)) and found[1] in ("down", "hada_w1_b", "difference")
    }
    return widths.pop() if len(widths) == 1 else None
