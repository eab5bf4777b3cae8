"""Tells from names, shapes and configs whether a ControlNet fits a base model and a condition.

No tensor is opened here, so that `sdstream check` reads ControlNets without torch.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sdstream.config.engine import ControlNetSettings
from sdstream.engine.weights.base_model import BaseModel
from sdstream.engine.weights.file_kind import place_of
from sdstream.engine.weights.files import read_config
from sdstream.errors import Unavailable

TYPES = {"openpose": 0, "depth": 1, "hed": 2, "scribble": 2, "canny": 3, "lineart": 3, "normal": 4, "tile": 6}
"""Condition -> number of the control type in the published ControlNet-Union; tile came with the second version, of
eight types (xinsir/controlnet-union-sdxl-1.0, model card)."""

PLAIN = ("ControlNetModel", "")

UNIONS = ("ControlNetUnionModel", "ControlNetModel_Union")
"""Class in config.json: diffusers' name, and the author's name."""

MARK = "task_embedding"
"""A weight of every ControlNet-Union.  # [types, channels]"""


PREFIX = "control_model."
"""Prefix of the original names, in a file with a base model."""

ORIGINAL, DIFFUSERS = "input_hint_block.0.weight", "controlnet_cond_embedding.conv_in.weight"
"""The mark of a ControlNet: a weight by the original name, and by diffusers' name."""


def refuse_other_files(where: str, shapes: Mapping[str, tuple[int, ...]], base: BaseModel, condition: str) -> None:
    """Raise Unavailable unless a file with tensors of `shapes` is a ControlNet for `base` and for `condition`."""
    if not any(key.removeprefix(PREFIX) in (ORIGINAL, DIFFUSERS) for key in shapes):
        place = place_of(shapes)
        raise Unavailable(
            f"{where} is no ControlNet: expected a weight {ORIGINAL} or {DIFFUSERS}{place and f'; the file {place}'}"
        )
    base.refuse_other_widths(shapes, where, "ControlNet")
    if shapes.get(MARK):
        refuse_other_types(shapes[MARK][0], condition, where)


def refuse_other_config(folder: Path, where: str, unet: Mapping[str, Any], condition: str) -> bool:  # JSON
    """Return whether the ControlNet in `folder` is a ControlNet-Union; raises Unavailable unless the config fits.

    `unet` is the config of the base model's U-Net.
    """
    config = read_config(folder / "config.json", where)
    union = is_union(config, f"{where}: {folder}")
    if union:
        refuse_other_types(int(config.get("num_control_type", 6)), condition, f"{where}: {folder}")
    refuse_other_shapes(config, unet, f"{where}: {folder}")
    return union


def refuse_other_shapes(config: Mapping[str, Any], unet: Mapping[str, Any], where: str) -> None:  # JSON
    """Raise Unavailable for a ControlNet whose config contradicts the config of the base model's U-Net."""
    for key in ("cross_attention_dim", "block_out_channels", "addition_embed_type"):
        if key not in config or key not in unet:
            continue
        found, expected = (_plain(one[key]) for one in (config, unet))
        if found != expected:
            raise Unavailable(
                f"{where} was made for a different base model: {key} is {found}, and this model has {expected}; choose "
                "a ControlNet for this model"
            )


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def condition_models(name: str, settings: ControlNetSettings) -> tuple[str | None, str | None]:
    """Return depth model and condition model of a ControlNet, at most one of the two; raises Unavailable without."""
    if settings.condition in ("canny", "tile"):
        return None, None
    needed = "depth_model" if settings.condition == "depth" else "condition_model"
    model: str | None = getattr(settings, needed)
    if model is None:
        raise Unavailable(
            f"ControlNet {name!r}: condition {settings.condition} needs engine.controlnets.{name}.{needed}"
        )
    return (model, None) if needed == "depth_model" else (None, model)


def is_union(config: Mapping[str, Any], where: str) -> bool:  # JSON
    """Return whether a config is of a ControlNet-Union; raises Unavailable for a further class of network."""
    name = str(config.get("_class_name") or "")
    if name not in (*PLAIN, *UNIONS):
        raise Unavailable(
            f"{where} is a network of the class {name}: expected {PLAIN[0]} or {UNIONS[0]}; choose a different model"
        )
    return name in UNIONS


def refuse_other_types(types: int, condition: str, where: str) -> None:
    """Raise Unavailable for a ControlNet-Union of `types` control types without a type for `condition`."""
    if TYPES.get(condition, types) >= types:
        able = ", ".join(name for name, number in TYPES.items() if number < types)
        raise Unavailable(
            f"{where} is a ControlNet-Union with {types} control types, and has no type for condition {condition}: "
            f"set the condition to one of: {able}"
        )


def annotator_file(path: Path, condition: str, where: str) -> Path:
    """Return the `.onnx` file of a condition model, or the folder in transformers layout; raises Unavailable."""
    files = sorted(path.glob("*.onnx")) if path.is_dir() else [path]
    if len(files) > 1:
        listed = ", ".join(file.name for file in files)
        raise Unavailable(f"{where}: {path} has {len(files)} .onnx files: name one of: {listed}")
    if files:
        if files[0].suffix != ".onnx":
            raise Unavailable(f"{where}: {files[0]}: expected an .onnx file or a folder in transformers layout")
        return files[0]
    names = read_config(path / "config.json", where).get("architectures")
    name = str(names[0]) if isinstance(names, list) and names else "no class"
    if condition != "openpose" or not name.endswith("ForPoseEstimation"):
        raise Unavailable(
            f"{where} {path} is {name}, and condition {condition} needs "
            f"{'a class ForPoseEstimation (ViTPose)' if condition == 'openpose' else 'an .onnx file'}"
        )
    return path
