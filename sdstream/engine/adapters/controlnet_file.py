"""Loads ControlNets in a single file, with the weights named as in the original code or as in diffusers.

The file has no config: the network is built to match the U-Net. `Any` stands for diffusers' modules: diffusers
publishes no types.
"""

from pathlib import Path
from typing import Any

from safetensors import safe_open
from torch import Tensor

from sdstream.engine.adapters.controlnet_union import MARK, empty_union, refuse_other_types
from sdstream.engine.weights.component import empty, fill, loading, refuse_unused
from sdstream.engine.weights.files import check_safetensors, refuse_pickle
from sdstream.errors import Unavailable

PREFIX = "control_model."
"""Prefix of the original names, in a file with a base model."""

ORIGINAL, DIFFUSERS = "input_hint_block.0.weight", "controlnet_cond_embedding.conv_in.weight"
"""The mark of a ControlNet: a weight by the original name, and by diffusers' name."""

POOLED = {"label_emb.0.0": "add_embedding.linear_1", "label_emb.0.2": "add_embedding.linear_2"}
"""Layers of SDXL's pooled prompt, original name -> diffusers' name; diffusers' converter leaves out both layers."""

_TEXT = ".attn2.to_k.weight"


def load_controlnet(name: str, file: Path, unet: Any, condition: str) -> Any:
    """Load the ControlNet `name` for `unet`; raises Unavailable with the file and the reason.

    A ControlNet-Union needs a control type for `condition`.
    """
    from diffusers import ControlNetModel

    where = f"ControlNet {name!r}: {file}"
    refuse_pickle(file, where)
    shapes = check_safetensors(file).shapes
    if not any(key.removeprefix(PREFIX) in (ORIGINAL, DIFFUSERS) for key in shapes):
        raise Unavailable(f"{where} is no ControlNet: expected a weight {ORIGINAL} or {DIFFUSERS}")
    widths = {shape[-1] for key, shape in shapes.items() if key.endswith(_TEXT) and shape}
    if foreign := widths - {unet.config.cross_attention_dim}:
        raise Unavailable(
            f"{where} was made for a different base model: the ControlNet reads prompts of {min(foreign)} numbers a "
            f"token, and this model has {unet.config.cross_attention_dim}; choose a ControlNet for this model"
        )
    own = [key for key in shapes if key.startswith(PREFIX)] or list(shapes)
    if shapes.get(MARK):
        refuse_other_types(shapes[MARK][0], condition, where)
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
