"""Tells what a file under `engine.loras` holds, and for which base model a LoRA was made, from names and shapes."""

from collections.abc import Mapping
from typing import Any

from sdstream.engine.weights.files import Header

BASES = {768: "Stable Diffusion 1.x", 1024: "Stable Diffusion 2.x", 2048: "Stable Diffusion XL"}
"""Base models by the width of the prompt's tokens."""

PAIR_ENDS = ("lora_A.weight", "lora_B.weight", "down.weight", "up.weight")
"""Ends of the names of a plain LoRA's matrices."""

_KINDS = {
    ("model.diffusion_model.",): "a whole checkpoint: set engine.model to the file",
    ("control_model.", "controlnet_cond_embedding."): "a ControlNet: set the model of a ControlNet in "
    "engine.controlnets to the file",
    ("image_proj.", "ip_adapter."): "an IP-Adapter, and sdstream loads no IP-Adapter: remove the entry",
    ("emb_params", "clip_l", "clip_g", "string_to_param"): "a textual inversion (an embedding), and sdstream loads "
    "no textual inversion: remove the entry",
}
"""Starts of names in files of further kinds -> what the file is, and what to do."""

_UNSUPPORTED = ("dora_scale", "lora_magnitude", "hada_", "lokr_", "lora_mid", "oft_", "bundle_emb")


def obstacle(header: Header, unet: Any) -> str | None:  # diffusers publishes no types
    """Return why a file cannot be a LoRA for `unet`, as the end of a sentence that begins with the file; None if so."""
    for starts, kind in _KINDS.items():
        if any(key.startswith(starts) for key in header.shapes):
            return f"is {kind}"
    unsupported = [
        key for key in header.shapes if any(mark in key for mark in _UNSUPPORTED) or key.endswith((".diff", ".diff_b"))
    ]
    if unsupported:
        return (
            f"is no plain LoRA (found {min(unsupported)}): DoRA, LoHa, LoKr and similar formats are not supported; "
            "choose a plain LoRA"
        )
    if rest := [key for key in header.shapes if not key.endswith((*PAIR_ENDS, ".alpha"))]:
        return f"is no plain LoRA: sdstream cannot apply the tensor {min(rest)}; choose a plain LoRA"
    width = _width(header.shapes)
    return None if width in (None, unet.config.cross_attention_dim) else other_base(header, unet)


def other_base(header: Header, unet: Any) -> str:  # diffusers publishes no types
    """Return the end of a sentence with the LoRA's base model and the base model of `unet`."""
    width = _width(header.shapes)
    stated = header.metadata.get("modelspec.architecture") or header.metadata.get("ss_base_model_version")
    theirs = _base(width) if width is not None else stated or "a base model that the file does not tell"
    return (
        f"was made for a different base model: the LoRA is for {theirs}, and this model is "
        f"{_base(unet.config.cross_attention_dim)}; choose a LoRA for this model"
    )


def _base(width: int) -> str:
    return BASES.get(width, f"a model with prompts of {width} numbers a token")


def _width(shapes: Mapping[str, tuple[int, ...]]) -> int | None:
    """Return the width of the prompt's tokens, from a layer for prompts; None without such a layer."""
    if any(key.startswith(("lora_te2_", "text_encoder_2.")) for key in shapes):
        return 2048
    widths = {
        shape[1]
        for key, shape in shapes.items()
        if "attn2" in key and ("to_k" in key or "to_v" in key) and len(shape) > 1
        if key.endswith(("lora_A.weight", "down.weight"))
    }
    return widths.pop() if len(widths) == 1 else None
