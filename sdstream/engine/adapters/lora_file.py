"""Reads LoRA files of any usual naming, strictly: a LoRA for a different base model is refused by layer.

`Any` stands for diffusers' modules: diffusers publishes no types.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch.nn.functional as F  # noqa: N812 - the name that every torch reader knows
from torch import Tensor, nn

from sdstream.config.engine import LoraSettings
from sdstream.engine.adapters.lora_base import obstacle, other_base
from sdstream.engine.adapters.lora_header import CONFIG, header_scales
from sdstream.engine.weights.component import loading, refuse_not_finite
from sdstream.engine.weights.files import check_safetensors, locate
from sdstream.errors import Unavailable


@dataclass(frozen=True)
class Pair:
    """The change of a layer by a LoRA, at weight 1."""

    down: Tensor  # [r, in] or [r, in, k, k]
    up: Tensor  # [out, r] or [out, r, 1, 1]
    scale: float

    def shape(self) -> tuple[int, ...]:
        """Return the shape of the changed weight."""
        return (self.up.shape[0], *self.down.shape[1:])

    def delta(self) -> Tensor:
        """Return the change of the weight."""
        change = self.up.flatten(1).float() @ self.down.flatten(1).float()
        return (self.scale * change).view(self.shape())

    def branch(self, layer: Any, x: Tensor) -> Tensor:
        """Return the change of the layer's output for the input `x`."""
        if self.down.ndim == 2:
            return self.scale * F.linear(F.linear(x, self.down), self.up)
        middle = F.conv2d(x, self.down, None, layer.stride, layer.padding, layer.dilation)
        return self.scale * F.conv2d(middle, self.up)


def read_lora(name: str, settings: LoraSettings, parts: Mapping[str, Any]) -> dict[str, Pair]:
    """Read a LoRA file, by module path; raises Unavailable for a LoRA of a different base model."""
    from safetensors.torch import load_file

    path = locate(settings.path, "LoRA")
    files = sorted(path.glob("*.safetensors")) if path.is_dir() else [path]
    if len(files) != 1 or files[0].suffix != ".safetensors":
        raise Unavailable(
            f"LoRA {name!r}: expected a single .safetensors file at {path}; set engine.loras.{name}.path to the file"
        )
    where = f"LoRA {name!r}: {files[0]}"
    header = check_safetensors(files[0])
    if why := obstacle(header, parts["unet"]):
        raise Unavailable(f"{where} {why}")
    with loading(where):
        pairs = _pairs(load_file(files[0]), parts, header.metadata)
    for module, pair in pairs.items():
        layer = _find_layer(parts, module)
        if layer is None:
            raise Unavailable(f"{where} {other_base(header, parts['unet'])} (this model has no layer {module})")
        if tuple(layer.weight.shape) != pair.shape() or pair.up.shape[1] != pair.down.shape[0]:
            raise Unavailable(
                f"{where} {other_base(header, parts['unet'])} (the LoRA's shape for {module} is {list(pair.shape())}, "
                f"and the model's shape is {list(layer.weight.shape)})"
            )
        with loading(where):
            weight = layer.weight
            refuse_not_finite({f"{module} down": pair.down.to(weight.dtype), f"{module} up": pair.up.to(weight.dtype)})
    if not pairs:
        raise Unavailable(f"{where} has no tensor: choose a LoRA for this model")
    return pairs


def _pairs(state: dict[str, Tensor], parts: Mapping[str, Any], metadata: Mapping[str, str]) -> dict[str, Pair]:
    from diffusers.loaders import StableDiffusionXLLoraLoaderMixin

    named, converted = StableDiffusionXLLoraLoaderMixin.lora_state_dict(state, unet_config=parts["unet"].config)
    alphas = {key: tensor for key, tensor in named.items() if key.endswith(".alpha")} | (converted or {})
    downs, ups = (_by_path(named, names) for names in (("lora_A", "down"), ("lora_B", "up")))
    if halves := downs.keys() ^ ups.keys():
        raise ValueError(f"{min(halves)} has only half of the pair: expected a down matrix and an up matrix")
    scales = {_path(key.removesuffix(".alpha")): _finite(key, alpha) for key, alpha in alphas.items()}
    if lonely := scales.keys() - downs.keys():
        raise ValueError(f"{min(lonely)} has an alpha, and no pair of matrices")
    ranks = {path: int(down.shape[0]) for path, down in downs.items()}
    stated = header_scales(metadata, ranks)
    if both := stated.keys() & scales.keys():
        raise ValueError(
            f"{min(both)} has an alpha as a tensor and in the header entry {CONFIG}: expected a single alpha"
        )
    return {
        path: Pair(down, ups[path], stated.get(path, scales.get(path, ranks[path]) / ranks[path]))
        for path, down in downs.items()
    }


def _finite(key: str, alpha: Tensor | float) -> float:
    if not math.isfinite(float(alpha)):
        raise ValueError(f"{key} is {float(alpha)}: expected a finite number")
    return float(alpha)


def _by_path(state: Mapping[str, Tensor], names: tuple[str, str]) -> dict[str, Tensor]:
    ends = tuple(f".{name}.weight" for name in names)
    return {_path(key): value for key, value in state.items() if key.endswith(ends)}


def _path(key: str) -> str:
    """Return the module path for a layer's name in any of diffusers' namings."""
    path = re.sub(r"(\.lora|\.lora_linear_layer|_lora)?\.(lora_A|lora_B|down|up)\.weight$", "", key)
    if path.startswith("text_encoder"):
        return re.sub(r"\.to_(q|k|v|out)$", r".\1_proj", path)
    path = path.replace(".processor.", ".")
    return f"{path}.0" if path.endswith(".to_out") else path


def layer_of(parts: Mapping[str, Any], path: str) -> Any:
    """Return the layer at `path` (part.module) of a LoRA that `read_lora` has checked; raises KeyError otherwise."""
    layer = _find_layer(parts, path)
    if layer is None:
        raise KeyError(path)
    return layer


def _find_layer(parts: Mapping[str, Any], path: str) -> Any:
    """Return the layer at `path`, or None. Text encoders of older libraries have an extra `text_model.`."""
    part, _, module = path.partition(".")
    for candidate in (module, module.removeprefix("text_model."), f"text_model.{module}"):
        try:
            layer = parts[part].get_submodule(candidate)
        except (AttributeError, KeyError):
            continue
        if isinstance(layer, nn.Linear | nn.Conv2d):
            return layer
    return None
