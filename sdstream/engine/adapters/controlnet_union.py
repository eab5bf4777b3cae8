"""ControlNet-Union: a single ControlNet for several kinds of condition, told apart by a number.

`Any` stands for diffusers' modules: diffusers publishes no types.
"""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from sdstream.errors import Unavailable

TYPES = {"openpose": 0, "depth": 1, "hed": 2, "scribble": 2, "canny": 3, "lineart": 3, "normal": 4, "tile": 6}
"""Condition -> number of the control type in the published ControlNet-Union; tile came with the second version, of
eight types (xinsir/controlnet-union-sdxl-1.0, model card)."""

PLAIN = ("ControlNetModel", "")

UNIONS = ("ControlNetUnionModel", "ControlNetModel_Union")
"""Class in config.json: diffusers' name, and the author's name."""

MARK = "task_embedding"
"""A weight of every ControlNet-Union.  # [types, channels]"""


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


def union_arguments(net: Any, condition: str, hint: Tensor) -> dict[str, Any]:
    """Return the arguments of a ControlNet-Union for `hint` [rows, 3, H, W]; nothing for a plain ControlNet."""
    if not hasattr(net, MARK):  # a parameter: a plain ControlNet has none
        return {}
    types = hint.new_zeros(len(hint), int(net.config.num_control_type))  # [rows, types]
    types[:, TYPES[condition]] = 1
    return {"controlnet_cond": [hint], "control_type": types, "control_type_idx": [TYPES[condition]]}


def empty_union(unet: Any, shapes: Mapping[str, tuple[int, ...]]) -> Any:
    """Make a ControlNet-Union for `unet` from the shapes of a file, with random weights.

    The shapes do not tell the number of heads, which is diffusers' default, as in the published files.
    """
    from diffusers import ControlNetModel, ControlNetUnionModel

    types, channels = shapes[MARK]
    shared = ControlNetModel.from_unet(unet, load_weights_from_unet=False).config
    embedding = "controlnet_cond_embedding"
    grown = sorted(key for key in shapes if key.startswith(f"{embedding}.blocks.") and key.endswith("weight"))
    widths = [shapes[key][0] for key in (f"{embedding}.conv_in.weight", *grown[1::2])]
    layers = {key.split(".")[1] for key in shapes if key.startswith("transformer_layes.")}  # the library's spelling
    own = {
        "conditioning_embedding_out_channels": widths,
        "num_control_type": types,
        "num_trans_channel": channels,
        "num_trans_layer": len(layers),
        "num_proj_channel": shapes["spatial_ch_projs.weight"][0],
    }
    return ControlNetUnionModel.from_config(
        {key: value for key, value in shared.items() if not key.startswith("_")} | own
    )
