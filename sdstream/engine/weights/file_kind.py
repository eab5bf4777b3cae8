"""Tells what a file of weights holds, from the tensors' names, and under which setting the file belongs."""

import re
from collections.abc import Collection, Mapping
from pathlib import Path

from sdstream.engine.weights.base_model import BaseModel
from sdstream.engine.weights.files import read_config
from sdstream.errors import Unavailable

CHECKPOINT = "model.diffusion_model."
"""Start of the U-Net's names in the original code: the mark of a whole checkpoint, beside a further part."""

PARTS = ("first_stage_model.", "cond_stage_model.", "conditioner.")
"""Starts of the names of a checkpoint's further parts."""

PLACES = {
    "a whole checkpoint": "set engine.model to the file",
    "a ControlNet": "set the model of a ControlNet in engine.controlnets to the file",
    "an IP-Adapter": "move the entry to engine.ip_adapters, and add a picture",
    "a textual inversion (an embedding)": "move the entry to engine.embeddings",
    "a LoRA": "name the file under engine.loras",
    "a tiny autoencoder": "set engine.tiny_autoencoder to the file",
    "a full autoencoder": "set engine.vae to the file, and engine.autoencoder to full",
    "a U-Net": "set engine.unet to the file",
}
"""Kind of file -> where the file belongs."""

_LORA = re.compile(r"lora|hada_w[12]|lokr_w[12]|dora_scale|\.(diff|diff_b|w_norm|b_norm)$", re.IGNORECASE)
_AUTOENCODER = {"encoder.conv_in.weight", "decoder.conv_out.weight"}
_EMBEDDING = {"emb_params", "clip_l", "clip_g", "*"}
_TINY = re.compile(r"^(taesd_)?(encoder|decoder)\.(layers\.)?\d+\.|^\d+\.(conv\.\d+\.)?(weight|bias)$")


def kind_of(names: Collection[str]) -> str:
    """Return the kind of a file with tensors of these names, a key of PLACES; empty for an unknown kind."""
    tests = {
        "an IP-Adapter": lambda name: name.startswith(("image_proj.", "ip_adapter.")),
        "a ControlNet": lambda name: name.startswith(("control_model.", "controlnet_cond_embedding.", "input_hint_")),
        "a whole checkpoint": lambda name: name.startswith((CHECKPOINT, *PARTS)),
    }
    lora = any(_LORA.search(name) for name in names)
    for kind, test in tests.items():
        if not lora and any(map(test, names)):
            return _lone_unet(names) if kind == "a whole checkpoint" else kind
    if lora:
        return "a LoRA"
    if names and (set(names) <= _EMBEDDING or any(name.startswith("string_to_param") for name in names)):
        return "a textual inversion (an embedding)"
    if names and all(map(_TINY.search, names)):
        return "a tiny autoencoder"
    return _bare(set(names))


def place_of(names: Collection[str]) -> str:
    """Return the end of a sentence that begins with a file: the kind, and where the file belongs; or empty."""
    kind = kind_of(names)
    separator = ", " if PLACES.get(kind, "").startswith("and ") else ": "
    return f"is {kind}{separator}{PLACES[kind]}" if kind else ""


def refuse_unless_unet(path: Path, shapes: Mapping[str, tuple[int, ...]], base: BaseModel) -> None:
    """Raise Unavailable unless the file holds a U-Net alone, for prompts of the base model."""
    if kind_of(shapes) != "a U-Net":
        found = place_of(shapes) or f"is no U-Net: expected the weight conv_in.weight, found {_first(shapes)}"
        raise Unavailable(f"U-Net: {path} {found}")
    base.refuse_other_widths(shapes, f"U-Net: {path}", "U-Net")


def refuse_unless_vae(path: Path, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Raise Unavailable unless the file holds a full autoencoder alone, by the names of any layout."""
    prefixes = (PARTS[0], "vae.")
    bare = {name.removeprefix(prefix) for name in shapes for prefix in ("", *prefixes)}
    if kind_of(shapes) not in ("a full autoencoder", "") or not bare >= _AUTOENCODER:
        found = place_of(shapes) if kind_of(shapes) != "a full autoencoder" else ""
        raise Unavailable(
            f"autoencoder: {path} is no full autoencoder: expected the weight encoder.conv_in.weight; the file "
            f"{found or f'has {_first(shapes)}'}"
        )


def refuse_other_class(folder: Path) -> None:
    """Raise Unavailable unless the config in `folder` is a full autoencoder's."""
    kind = read_config(folder / "config.json", "autoencoder").get("_class_name", "AutoencoderKL")
    if kind != "AutoencoderKL":
        raise Unavailable(
            f"autoencoder: {folder} is a network of the class {kind}: expected AutoencoderKL; a tiny autoencoder "
            "belongs under engine.tiny_autoencoder"
        )


def _first(shapes: Mapping[str, tuple[int, ...]]) -> str:
    return min(shapes, default="no tensor")


def _lone_unet(names: Collection[str]) -> str:
    """Return the kind of a file with names of the original code."""
    if all(name.startswith(CHECKPOINT) for name in names):
        return "a U-Net"
    if any(name.startswith(CHECKPOINT) for name in names):
        return "a whole checkpoint"
    return "a full autoencoder" if any(name.startswith(PARTS[0]) for name in names) else ""


def _bare(names: set[str]) -> str:
    """Return the kind of a network that is saved alone."""
    if names >= _AUTOENCODER:
        return "a full autoencoder"
    return "a U-Net" if {"conv_in.weight", "conv_out.weight"} <= names or "input_blocks.0.0.weight" in names else ""
