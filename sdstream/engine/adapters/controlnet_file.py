"""Loads ControlNets in a single file, with the weights named as in the original code or as in diffusers.

The file has no config: the network is built to match the U-Net. `Any` stands for diffusers' modules: diffusers
publishes no types.
"""

from pathlib import Path
from typing import Any

from safetensors import safe_open
from torch import Tensor

from sdstream.engine.adapters.controlnet_kind import MARK, PREFIX, refuse_other_files
from sdstream.engine.adapters.controlnet_union import empty_union
from sdstream.engine.weights.base_model import BaseModel
from sdstream.engine.weights.component import empty, fill, loading, refuse_unused
from sdstream.engine.weights.files import check_safetensors, refuse_pickle

POOLED = {"label_emb.0.0": "add_embedding.linear_1", "label_emb.0.2": "add_embedding.linear_2"}
"""Layers of SDXL's pooled prompt, original name -> diffusers' name; diffusers' converter leaves out both layers."""


def load_controlnet(name: str, file: Path, unet: Any, condition: str) -> Any:
    """Load the ControlNet `name` for `unet`; raises Unavailable with the file and the reason.

    A ControlNet-Union needs a control type for `condition`.
    """
    from diffusers import ControlNetModel

    where = f"ControlNet {name!r}: {file}"
    refuse_pickle(file, where)
    shapes = check_safetensors(file).shapes
    refuse_other_files(where, shapes, BaseModel.of(unet.config), condition)
    own = [key for key in shapes if key.startswith(PREFIX)] or list(shapes)
    with loading(where):
        if MARK in shapes:
            net = empty(lambda: empty_union(unet, shapes))
        else:
            net = empty(lambda: ControlNetModel.from_unet(unet, load_weights_from_unet=False))
        with safe_open(file, framework="pt") as opened:
            state = {key.removeprefix(PREFIX): opened.get_tensor(key) for key in own}
        return fill(net, _converted(state, net.config), unet.dtype).to(unet.device)


def _converted(state: dict[str, Tensor], config: Any) -> dict[str, Tensor]:
    """Give the weights diffusers' names; raises ValueError for a weight without a place."""
    from diffusers.loaders.single_file_utils import convert_controlnet_checkpoint

    found = convert_controlnet_checkpoint(state, config)
    converted = {key: tensor for key, tensor in found.items() if tensor is not None}  # None: not in the file
    for original, name in POOLED.items():
        for kind in (".weight", ".bias"):
            if original + kind in state:
                converted[name + kind] = state[original + kind]
    refuse_unused(state, converted, "ControlNet for this model")
    return converted
