"""The layout of a model's weights in memory: the numbers stay as they are, and so does the model.

`Any` stands for diffusers' modules: the attributes have no static types.
"""

from typing import Any

import torch
from torch import Tensor, nn


def channels_last(module: nn.Module) -> None:
    """Lay the weights of convolutions out pixel by pixel: GPUs multiply this layout without turning the data."""
    for parameter in module.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)


def join_projections(attention: Any) -> Tensor | None:
    """Give queries, keys and values of a self-attention layer a single weight; the three weights become views.

    The numbers stay as they are, and a LoRA fused into one of the three lands in the joined weight. Return the weight
    [3 dim, dim]; None for layers that differ in width or have biases.
    """
    layers = (attention.to_q, attention.to_k, attention.to_v)
    if any(layer.bias is not None or layer.weight.shape != layers[0].weight.shape for layer in layers):
        return None
    joined = torch.cat([layer.weight.detach() for layer in layers])  # [3 dim, dim]
    for layer, part in zip(layers, joined.chunk(3), strict=True):
        layer.weight.data = part
    return joined
