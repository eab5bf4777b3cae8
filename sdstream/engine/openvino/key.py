"""The cache key of OpenVINO's graphs: everything with an effect on a graph."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import diffusers
import torch
from torch import nn

from sdstream.engine.openvino.runtime import Processor

FORMAT = 5
"""Increase this number with every change of the way from a model to graphs."""


@dataclass(frozen=True)
class Key:
    """Everything with an effect on a graph."""

    format: int
    weights: str
    configs: tuple[str, ...]
    size: tuple[int, int]
    """(width, height) of the picture."""
    prompt: tuple[int, ...]
    """(tokens, numbers in each token)."""
    ranges: str
    """The names and activation ranges of the int8 convolutions (see `int8`)."""
    torch: str
    diffusers: str
    processor: Processor


def make_key(
    modules: tuple[Any, ...], size: tuple[int, int], prompt: tuple[int, ...], ranges: str, processor: Processor
) -> Key:
    """Make the key of `modules` (diffusers models). The key hashes weights, because a fused LoRA changes weights."""
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
