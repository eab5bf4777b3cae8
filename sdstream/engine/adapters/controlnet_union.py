"""ControlNet-Union: a single ControlNet for several kinds of condition, told apart by a number.

`Any` stands for diffusers' modules: diffusers publishes no types.
"""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from sdstream.engine.adapters.controlnet_kind import MARK, TYPES


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
