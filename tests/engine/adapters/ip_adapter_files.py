"""IP-Adapters and image encoders for the tiny models, in the layout of h94/IP-Adapter."""

from collections.abc import Iterable
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

PROJECTION, HIDDEN, SIDE = 24, 16, 32
"""Numbers in a picture's and in a patch's embedding, and side of the encoder's input in pixels."""


def write_encoder(folder: Path, *, projection: int = PROJECTION, hidden: int = HIDDEN, seed: int = 5) -> Path:
    """Write a CLIP image encoder with random weights, and without a preprocessor config, as h94 publishes these."""
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    torch.manual_seed(seed)
    config = CLIPVisionConfig(
        hidden_size=hidden,
        intermediate_size=32,
        projection_dim=projection,
        num_hidden_layers=3,
        num_attention_heads=2,
        image_size=SIDE,
        patch_size=8,
    )
    CLIPVisionModelWithProjection(config).save_pretrained(folder)
    return folder


def matrices(unet: torch.nn.Module, draw: torch.Generator) -> dict[str, Tensor]:
    """Return the part `ip_adapter.*`: matrices numbered by attention processor, as the authors number."""
    state: dict[str, Tensor] = {}
    for number, name in enumerate(unet.attn_processors):
        if name.endswith("attn2.processor"):
            layer = unet.get_submodule(name.removesuffix(".processor")).to_k
            for matrix in ("to_k_ip", "to_v_ip"):
                state[f"ip_adapter.{number}.{matrix}.weight"] = torch.randn(layer.weight.shape, generator=draw)
    return state


def base(unet: torch.nn.Module, seed: int = 0) -> dict[str, Tensor]:
    draw, width = torch.Generator().manual_seed(seed), unet.config.cross_attention_dim
    return matrices(unet, draw) | {
        "image_proj.proj.weight": torch.randn(4 * width, PROJECTION, generator=draw),
        "image_proj.proj.bias": torch.randn(4 * width, generator=draw),
        "image_proj.norm.weight": torch.randn(width, generator=draw),
        "image_proj.norm.bias": torch.randn(width, generator=draw),
    }


def plus(unet: torch.nn.Module, seed: int = 1, queries: int = 6) -> dict[str, Tensor]:
    draw, width, inner = torch.Generator().manual_seed(seed), unet.config.cross_attention_dim, 20
    shapes: dict[str, Iterable[int]] = {
        "latents": (1, queries, inner), "proj_in.weight": (inner, HIDDEN), "proj_in.bias": (inner,),
        "proj_out.weight": (width, inner), "proj_out.bias": (width,), "norm_out.weight": (width,),
        "norm_out.bias": (width,),
    }  # fmt: skip
    for layer in range(4):
        for norm in ("0.norm1", "0.norm2", "1.0"):
            shapes |= {f"layers.{layer}.{norm}.weight": (inner,), f"layers.{layer}.{norm}.bias": (inner,)}
        shapes |= {f"layers.{layer}.0.to_q.weight": (128, inner), f"layers.{layer}.0.to_kv.weight": (256, inner)}
        shapes |= {f"layers.{layer}.0.to_out.weight": (inner, 128), f"layers.{layer}.1.1.weight": (4 * inner, inner)}
        shapes |= {f"layers.{layer}.1.3.weight": (inner, 4 * inner)}
    projection = {f"image_proj.{name}": 0.3 * torch.randn(*shape, generator=draw) for name, shape in shapes.items()}
    return matrices(unet, draw) | projection


def full(unet: torch.nn.Module, seed: int = 2) -> dict[str, Tensor]:
    draw, width = torch.Generator().manual_seed(seed), unet.config.cross_attention_dim
    shapes: dict[str, Iterable[int]] = {
        "proj.0.weight": (HIDDEN, HIDDEN), "proj.0.bias": (HIDDEN,), "proj.2.weight": (width, HIDDEN),
        "proj.2.bias": (width,), "proj.3.weight": (width,), "proj.3.bias": (width,),
    }  # fmt: skip
    return matrices(unet, draw) | {
        f"image_proj.{name}": torch.randn(*shape, generator=draw) for name, shape in shapes.items()
    }


KINDS = {"base": base, "plus": plus, "full": full}


def write(file: Path, state: dict[str, Tensor]) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file({key: tensor.clone().contiguous() for key, tensor in state.items()}, file)
    return file
