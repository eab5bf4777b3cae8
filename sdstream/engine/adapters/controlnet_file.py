"""ControlNets in one file, whose weights have the original code's names or diffusers'.

Such a file has no config: its network is the one that goes with the U-Net. `Any` stands for diffusers' modules, which
have no published types.
"""

from pathlib import Path
from typing import Any

from safetensors import safe_open
from torch import Tensor

from sdstream.engine.weights.component import empty, fill, loading, refuse_unused
from sdstream.engine.weights.files import check_safetensors, refuse_pickle
from sdstream.errors import Unavailable

PREFIX = "control_model."
"""Of the original names, where the file holds a base model too."""

ORIGINAL, OWN = "input_hint_block.0.weight", "controlnet_cond_embedding.conv_in.weight"
"""Weights that only a ControlNet has: by the original names, and by diffusers'."""

POOLED = {"label_emb.0.0": "add_embedding.linear_1", "label_emb.0.2": "add_embedding.linear_2"}
"""SDXL's second prompt, which diffusers' converter leaves out."""

_TEXT = ".attn2.to_k.weight"


def load_controlnet(name: str, file: Path, unet: Any) -> Any:
    """Load the ControlNet `name` for `unet`; raises Unavailable with the file and the reason."""
    from diffusers import ControlNetModel

    where = f"ControlNet {name!r}: {file}"
    refuse_pickle(file, where)
    shapes = check_safetensors(file).shapes
    if not any(key.removeprefix(PREFIX) in (ORIGINAL, OWN) for key in shapes):
        raise Unavailable(f"{where} is no ControlNet: it has neither {ORIGINAL} nor {OWN}")
    widths = {shape[-1] for key, shape in shapes.items() if key.endswith(_TEXT) and shape}
    if other := widths - {unet.config.cross_attention_dim}:
        raise Unavailable(
            f"{where} was made for another base model: it reads prompts of {min(other)} numbers a token, ours have "
            f"{unet.config.cross_attention_dim}"
        )
    own = [key for key in shapes if key.startswith(PREFIX)] or list(shapes)
    with loading(where):
        net = empty(lambda: ControlNetModel.from_unet(unet, load_weights_from_unet=False))
        with safe_open(file, framework="pt") as opened:
            state = {key.removeprefix(PREFIX): opened.get_tensor(key) for key in own}
        return fill(net, _converted(state, net.config), unet.dtype).to(unet.device)


def _converted(state: dict[str, Tensor], config: Any) -> dict[str, Tensor]:
    """Give the weights diffusers' names; raises ValueError for one that has no place."""
    from diffusers.loaders.single_file_utils import convert_controlnet_checkpoint

    found = convert_controlnet_checkpoint(state, config)
    converted = {key: tensor for key, tensor in found.items() if tensor is not None}  # None: not in the file
    for theirs, ours in POOLED.items():
        for kind in (".weight", ".bias"):
            if theirs + kind in state:
                converted[ours + kind] = state[theirs + kind]
    refuse_unused(state, converted, "ControlNet for this model")
    return converted
