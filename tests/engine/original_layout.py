"""Writes a diffusers folder as one file, with the names that the original Stable Diffusion code gives its weights."""

import re
from collections.abc import Mapping
from functools import reduce
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

State = dict[str, Tensor]

RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "time_emb_proj": "emb_layers.1",
    "conv_shortcut": "skip_connection",
}
UNET = {
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
    "conv_in": "input_blocks.0.0",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}
CONTROLNET = {
    "controlnet_mid_block": "middle_block_out.0",
    "controlnet_cond_embedding.conv_in": "input_hint_block.0",
    "controlnet_cond_embedding.conv_out": "input_hint_block.14",
}
OPEN_CLIP = {
    "embeddings.position_embedding.weight": "positional_embedding",
    "embeddings.token_embedding.weight": "token_embedding.weight",
    "final_layer_norm": "ln_final",
    "encoder.layers.": "transformer.resblocks.",
    "self_attn.out_proj": "attn.out_proj",
    "layer_norm": "ln_",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
}


def write_single_file(folder: Path, file: Path, *, open_clip: bool = False, extra: Mapping[str, Tensor] = {}) -> Path:
    """Write `folder` as `file`; SD 2.x has an OpenCLIP text encoder, and one layer more than it uses."""
    xl = (folder / "text_encoder_2").is_dir()
    unet, vae = (load_file(folder / part / "diffusion_pytorch_model.safetensors") for part in ("unet", "vae"))
    state = {f"model.diffusion_model.{name}": tensor for name, tensor in unet_names(unet, layers=1).items()}
    state |= {f"first_stage_model.{name}": tensor for name, tensor in vae_names(vae, blocks=4).items()}
    text = bare(load_file(folder / "text_encoder" / "model.safetensors"))
    if open_clip:
        state |= open_clip_names(text, "cond_stage_model.model.")
        state["cond_stage_model.model.transformer.resblocks.23.ln_1.bias"] = torch.ones(1)
    else:
        prefix = "conditioner.embedders.0.transformer." if xl else "cond_stage_model.transformer."
        state |= {f"{prefix}text_model.{name}": tensor for name, tensor in text.items()}
    if xl:
        second = bare(load_file(folder / "text_encoder_2" / "model.safetensors"))
        state |= open_clip_names(second, "conditioner.embedders.1.model.")
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.contiguous() for name, tensor in (state | extra).items()}, file)
    return file


def bare(state: State) -> State:
    return {name.removeprefix("text_model."): tensor for name, tensor in state.items()}


def unet_names(state: State, layers: int) -> State:
    with_attention = {int(found[1]) for name in state if (found := re.match(r"up_blocks\.(\d+)\.attentions", name))}

    def name(key: str) -> str:
        for ours, theirs in UNET.items():
            if key.startswith(f"{ours}."):
                return key.replace(ours, theirs, 1)
        if found := re.match(r"mid_block\.(resnets|attentions)\.(\d)\.(.*)", key):
            kind, number, rest = found.groups()
            return f"middle_block.{1 if kind == 'attentions' else 2 * int(number)}.{inner(rest)}"
        found = re.match(r"(down|up)_blocks\.(\d+)\.(\w+)\.(\d+)\.(.*)", key)
        assert found, key
        way, block, kind, number, rest = found.groups()
        first = int(block) * (layers + 1)
        if kind == "downsamplers":
            return f"input_blocks.{first + layers + 1}.0.{rest.replace('conv', 'op', 1)}"
        if kind == "upsamplers":
            return f"output_blocks.{first + layers}.{2 if int(block) in with_attention else 1}.{rest}"
        place = f"input_blocks.{first + 1 + int(number)}" if way == "down" else f"output_blocks.{first + int(number)}"
        return f"{place}.{int(kind == 'attentions')}.{inner(rest)}"

    return {name(key): tensor for key, tensor in state.items()}


def controlnet_names(state: State, layers: int) -> State:
    def own(key: str) -> str:
        if found := re.match(r"controlnet_down_blocks\.(\d+)\.(.*)", key):
            return f"zero_convs.{found[1]}.0.{found[2]}"
        if found := re.match(r"controlnet_cond_embedding\.blocks\.(\d+)\.(.*)", key):
            return f"input_hint_block.{2 * int(found[1]) + 2}.{found[2]}"
        return reduce(lambda name, pair: name.replace(*pair), CONTROLNET.items(), key)

    mine = {key: tensor for key, tensor in state.items() if key.startswith("controlnet_")}
    shared = {key: tensor for key, tensor in state.items() if key not in mine}
    named = unet_names(shared, layers) | {own(key): tensor for key, tensor in mine.items()}
    return {f"control_model.{key}": tensor for key, tensor in named.items()}


def inner(rest: str) -> str:
    first, dot, tail = rest.partition(".")
    return RESNET.get(first, first) + dot + tail


def vae_names(state: State, blocks: int) -> State:
    def name(key: str) -> str:
        key = key.replace("conv_norm_out", "norm_out").replace("conv_shortcut", "nin_shortcut")
        key = re.sub(r"mid_block\.resnets\.(\d)", lambda found: f"mid.block_{int(found[1]) + 1}", key)
        key = key.replace("mid_block.attentions.0", "mid.attn_1").replace("group_norm", "norm")
        key = re.sub(r"\.to_([qkv])\.", r".\1.", key).replace("to_out.0", "proj_out")
        key = re.sub(r"down_blocks\.(\d)\.resnets", r"down.\1.block", key)
        key = re.sub(r"down_blocks\.(\d)\.downsamplers\.0", r"down.\1.downsample", key)
        key = re.sub(r"up_blocks\.(\d)\.resnets", lambda found: f"up.{blocks - 1 - int(found[1])}.block", key)
        return re.sub(r"up_blocks\.(\d)\.upsamplers\.0", lambda found: f"up.{blocks - 1 - int(found[1])}.upsample", key)

    renamed = {name(key): tensor for key, tensor in state.items()}
    return {
        key: tensor[..., None, None] if "attn_1" in key and tensor.ndim == 2 else tensor
        for key, tensor in renamed.items()
    }


def open_clip_names(state: State, prefix: str) -> State:
    named: State = {}
    stacked: dict[str, dict[str, Tensor]] = {}
    for key, tensor in state.items():
        if found := re.match(r"encoder\.layers\.(\d+)\.self_attn\.([qkv])_proj\.(\w+)", key):
            layer, which, kind = found.groups()
            stacked.setdefault(f"transformer.resblocks.{layer}.attn.in_proj_{kind}", {})[which] = tensor
        elif key == "text_projection.weight":
            named["text_projection"] = tensor.T
        else:
            renamed = reduce(lambda name, pair: name.replace(*pair), OPEN_CLIP.items(), key)
            named[renamed] = tensor
    named |= {key: torch.cat([parts[which] for which in "qkv"]) for key, parts in stacked.items()}
    return {f"{prefix}{key}": tensor for key, tensor in named.items()}
