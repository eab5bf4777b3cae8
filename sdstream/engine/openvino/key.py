"""The key by which OpenVINO's graphs are kept: everything that changes a graph."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import diffusers
import torch
from torch import nn

from sdstream.engine.openvino.runtime import Processor

FORMAT = 3
"""Counts up when the graphs are built in another way from the same model."""


@dataclass(frozen=True)
class Key:
    """Everything that a graph depends on."""

    format: int
    weights: str
    configs: tuple[str, ...]
    size: tuple[int, int]
    """(width, height) of the picture."""
    prompt: tuple[int, ...]
    """(tokens, numbers in each token)."""
    ranges: str
    """The convolutions that are rounded, each with its range (see `int8`)."""
    torch: str
    diffusers: str
    processor: Processor


def make_key(
    modules: tuple[Any, ...], size: tuple[int, int], prompt: tuple[int, ...], ranges: str, processor: Processor
) -> Key:
    """Read the weights of `modules` (diffusers models) themselves: a fused LoRA has changed the weights."""
    configs = tuple(json.dumps(dict(module.config), sort_keys=True, default=str) for module in modules)
    versions = (torch.__version__, diffusers.__version__)
    return Key(FORMAT, _digest(modules), configs, size, prompt, ranges, *versions, processor)


def _digest(modules: tuple[nn.Module, ...]) -> str:
    digest = hashlib.sha256()
    for module in modules:
        for name, tensor in module.state_dict().items():
            digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
            digest.update(tensor.contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()
