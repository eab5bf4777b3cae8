"""ControlNets in one file, whose weights have the original code's names or diffusers'.

Such a file has no config: its network is the one that goes with the U-Net. `Any` stands for diffusers' modules, which
have no published types.
"""

from pathlib import Path
from typing import Any

from safetensors import safe_open

from sdstream.engine.component import empty, fill, loading
from sdstream.engine.files import PICKLES, check_safetensors
from sdstream.errors import Unavailable

ORIGINAL, OWN = "input_hint_block.0.weight", "controlnet_cond_embedding.conv_in.weight"
"""Weights that only a ControlNet has: by the original names, and by diffusers'."""

_TEXT = ".attn2.to_k.weight"


def load_controlnet(name: str, file: Path, unet: Any) -> Any:
    """Load the ControlNet `name` for `unet`; raises Unavailable with the file and the reason."""
    from diffusers import ControlNetModel
    from diffusers.loaders.single_file_utils import convert_controlnet_checkpoint

    where = f"ControlNet {name!r}: {file}"
    if file.suffix in PICKLES:
        raise Unavailable(f"{where} is a pickle, which could run any code; sdstream opens .safetensors only")
    shapes = check_safetensors(file).shapes
    if not any(key.removeprefix("control_model.") in (ORIGINAL, OWN) for key in shapes):
        raise Unavailable(f"{where} is no ControlNet: it has neither {ORIGINAL} nor {OWN}")
    widths = {shape[-1] for key, shape in shapes.items() if key.endswith(_TEXT)}
    if widths - {unet.config.cross_attention_dim}:
        raise Unavailable(
            f"{where} was made for another base model: it reads prompts of {min(widths)} numbers a token, ours have "
            f"{unet.config.cross_attention_dim}"
        )
    with loading(where):
        net = empty(lambda: ControlNetModel.from_unet(unet, load_weights_from_unet=False))
        with safe_open(file, framework="pt") as opened:
            state = {key: opened.get_tensor(key) for key in shapes}
        converted = convert_controlnet_checkpoint(state, net.config)
        found = {key: tensor for key, tensor in converted.items() if tensor is not None}  # None: not in the file
        return fill(net, found, unet.dtype).to(unet.device)
