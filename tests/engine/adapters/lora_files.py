"""LoRA files for the tiny model."""

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

LAYER = "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k"
TEXT = "text_model.encoder.layers.0.self_attn.q_proj"
CONVOLUTION = "conv_in"


def pair(out: int, into: int, seed: int = 0, rank: int = 4) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(seed)
    return torch.randn(rank, into, generator=random), torch.randn(out, rank, generator=random)


DOWN, UP = pair(16, 32)
TEXT_DOWN, TEXT_UP = pair(32, 32, seed=1)


def peft() -> dict[str, Tensor]:
    return {
        f"unet.{LAYER}.lora_A.weight": DOWN,
        f"unet.{LAYER}.lora_B.weight": UP,
        f"text_encoder.{TEXT}.lora_A.weight": TEXT_DOWN,
        f"text_encoder.{TEXT}.lora_B.weight": TEXT_UP,
    }


LAYERS = (LAYER, LAYER.replace("to_k", "to_v"), LAYER.replace("attn2.to_k", "attn1.to_q"), "mid_block.resnets.0.conv1",
          "mid_block.resnets.0.time_emb_proj", "conv_in", "time_embedding.linear_1")  # fmt: skip


def everywhere(unet: torch.nn.Module, seed: int) -> dict[str, Tensor]:
    """A LoRA on layers of every kind, and on the text encoder."""
    random = torch.Generator().manual_seed(seed)
    state = {name: value for name, value in peft().items() if name.startswith("text_encoder")}
    for layer in LAYERS:
        out, *into = unet.get_submodule(layer).weight.shape
        state[f"unet.{layer}.lora_A.weight"] = 0.3 * torch.randn(2, *into, generator=random)
        state[f"unet.{layer}.lora_B.weight"] = 0.3 * torch.randn(out, 2, *[1] * (len(into) - 1), generator=random)
    return state


def saved(folder: Path, state: dict[str, Tensor], name: str = "lora", metadata: dict[str, str] | None = None) -> str:
    file = folder / f"{name}.safetensors"
    save_file({key: value.clone().contiguous() for key, value in state.items()}, file, metadata)
    return str(file)
