"""A diffusers U-Net as a function of latents and two tables: time and prompt are projected before the call.

The time embedding with the projections of all blocks depends on the steps only, and keys and values of the
cross-attention on the prompt only (paper appendix A.2). `Projections` computes a row of each table, on a change.
`Any` stands for diffusers' modules: the attributes have no static types.
"""

from typing import Any

import torch
from torch import Tensor, nn

from sdstream.engine.conditioning.condition import Embedding
from sdstream.engine.eager.unet import embed_scales
from sdstream.engine.graph.attention import PromptAttention, SelfAttention
from sdstream.engine.graph.layout import join_projections
from sdstream.engine.models import refuse_other_kinds
from sdstream.engine.shared_module import copy_structure
from sdstream.errors import Unavailable


class TimeColumns(nn.Module):
    """Stands for a block's projection of the time embedding: columns of the table of times."""

    def __init__(self, start: int, width: int) -> None:
        super().__init__()
        self._start, self._width = start, width

    def forward(self, time: Tensor) -> Tensor:
        """Return the block's columns.  # [rows, all columns] -> [rows, width]"""
        return time[:, self._start : self._start + self._width]


class TakesTime(nn.Module):
    """Stands for the time embedding: the table of times goes to the blocks unchanged."""

    def forward(self, time: Tensor, condition: Tensor | None = None) -> Tensor:
        """Return `time`; the condition is in the table already."""
        del condition
        return time


class TableUNet(nn.Module):
    """A copy of `unet` that reads its time and prompt from tables. Weights are shared with `unet`.

    The projections of self-attention layers in `unet` get joined weights: see `join_projections`. Raises Unavailable
    for a U-Net with inputs beyond Stable Diffusion's.
    """

    def __init__(self, unet: Any) -> None:
        super().__init__()
        _refuse_other_inputs(unet)
        joined = {name: join_projections(layer) for name, layer in _attention(unet) if not layer.is_cross_attention}
        self.module = copy_structure(unet)
        self.module.get_time_embed = _take
        self.module.get_aug_embed = _nothing
        self.module.time_embedding, self.module.time_embed_act = TakesTime(), None
        start = 0
        for block in _timed_blocks(self.module):
            block.time_emb_proj = TimeColumns(start, width := block.time_emb_proj.out_features)
            block.skip_time_act = True
            start += width
        self.time_columns = start
        """Width of the table of times."""
        processors: dict[str, SelfAttention | PromptAttention] = {}
        start = 0
        for name, layer in _attention(self.module):
            if layer.is_cross_attention:
                width = layer.to_k.out_features
                processors[f"{name}.processor"] = PromptAttention(start, width)
                start += 2 * width
            else:
                layer.register_buffer("joined", joined[name], persistent=False)
                processors[f"{name}.processor"] = SelfAttention()
        self.module.set_attn_processor(processors)
        self.prompt_columns = start
        """Width of the table of prompts."""

    def forward(self, x: Tensor, time: Tensor, prompt: Tensor, together: int) -> Tensor:
        """Run x [rows, c, h, w] with time [rows, columns] and prompt [rows, tokens, columns]; the result is like x.

        The first `together` rows attend to each other.
        """
        output: Tensor = self.module(x, time, prompt, cross_attention_kwargs={"together": together}, return_dict=False)[
            0
        ]
        return output


class Projections:
    """Computes rows of the tables from the weights of `unet`, with the LoRA weights in force."""

    def __init__(self, unet: Any, time_ids: Tensor | None) -> None:
        """`time_ids` [6] is SDXL's description of the picture's size; None for a model without such an input."""
        self._unet, self._time_ids = unet, time_ids
        self.like = torch.empty(1, dtype=unet.dtype, device=unet.device)
        """A tensor of the dtype and on the device of the weights."""
        self._blocks = _timed_blocks(unet)
        self._layers = [layer for _, layer in _attention(unet) if layer.is_cross_attention]
        self._scale_size: int | None = unet.config.get("time_cond_proj_dim")

    def prompt(self, embedding: Embedding) -> Tensor:
        """Return keys and values of a prompt for all cross-attention layers.  # [tokens, columns]"""
        tokens = embedding.tokens
        return torch.cat([project(tokens) for layer in self._layers for project in (layer.to_k, layer.to_v)], dim=1)

    def time(self, timestep: Tensor, embedding: Embedding, distilled: float) -> Tensor:
        """Return the time of a row for all blocks; `timestep` [1], `distilled` is LCM's guidance scale.  # [columns]"""
        unet = self._unet
        scale = None
        if self._scale_size:
            scale = embed_scales(torch.tensor([distilled]), self._scale_size).to(self.like)  # [1, size]
        time = unet.time_embedding(unet.get_time_embed(sample=self.like, timestep=timestep), scale)  # [1, dim]
        if self._time_ids is not None and embedding.pooled is not None:
            added = {"text_embeds": embedding.pooled.unsqueeze(0), "time_ids": self._time_ids.unsqueeze(0)}
            time = time + unet.get_aug_embed(emb=time, encoder_hidden_states=None, added_cond_kwargs=added)
        if unet.time_embed_act is not None:
            time = unet.time_embed_act(time)
        parts = [
            block.time_emb_proj(time if block.skip_time_act else block.nonlinearity(time)) for block in self._blocks
        ]
        return torch.cat(parts, dim=1)[0]


def _take(sample: Tensor, timestep: Tensor) -> Tensor:
    """Stand for the sines and cosines of the timestep: the table of times is what is given."""
    del sample
    return timestep


def _nothing(**_: Any) -> None:
    """Stand for SDXL's embedding of size and pooled prompt: the table of times holds the sum."""


def _timed_blocks(unet: Any) -> list[Any]:
    from diffusers.models.resnet import ResnetBlock2D

    blocks = [block for block in unet.modules() if isinstance(block, ResnetBlock2D)]
    return [block for block in blocks if block.time_emb_proj is not None]


def _attention(unet: Any) -> list[tuple[str, Any]]:
    """Return the attention layers by name; raises Unavailable for attention unlike Stable Diffusion's."""
    names = [name.removesuffix(".processor") for name in unet.attn_processors]
    layers = [(name, unet.get_submodule(name)) for name in names]
    for name, layer in layers:
        refuse_other_kinds(name, layer)
    return layers


def _refuse_other_inputs(unet: Any) -> None:
    config = unet.config
    found = [name for name in ("class_embed_type", "encoder_hid_dim_type", "num_class_embeds") if config.get(name)]
    if found or config.get("addition_embed_type") not in (None, "text_time"):
        raise Unavailable(
            f"engine.acceleration: graph runs no U-Net with {', '.join(found) or config.addition_embed_type}; use "
            "engine.acceleration: auto or eager"
        )
