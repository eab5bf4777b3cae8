"""Reads LoRA files of any usual naming, strictly: what is for another base model is refused by layer.

`Any` stands for diffusers' modules, which publish no types.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch.nn.functional as F  # noqa: N812 - the name that every torch reader knows
from torch import Tensor, nn

from sdstream.config.engine import LoraSettings
from sdstream.engine.weights.component import loading
from sdstream.engine.weights.files import check_safetensors, locate
from sdstream.errors import Unavailable

FOREIGN = ("dora_scale", "lora_magnitude", "hada_", "lokr_", "lora_mid", "oft_", ".diff", "bundle_emb")
"""Marks of weights that are more than a product of two; leaving them out would show another picture than meant."""


@dataclass(frozen=True)
class Pair:
    """What a LoRA does to one layer, at weight 1."""

    down: Tensor  # [r, in] or [r, in, k, k]
    up: Tensor  # [out, r] or [out, r, 1, 1]
    scale: float

    def shape(self) -> tuple[int, ...]:
        """Return the shape of the weight that it changes."""
        return (self.up.shape[0], *self.down.shape[1:])

    def delta(self) -> Tensor:
        """Return the change of the weight."""
        change = self.up.flatten(1).float() @ self.down.flatten(1).float()
        return (self.scale * change).view(self.shape())

    def branch(self, layer: Any, x: Tensor) -> Tensor:
        """Return the change of the layer's output for its input `x`."""
        if self.down.ndim == 2:
            return self.scale * F.linear(F.linear(x, self.down), self.up)
        middle = F.conv2d(x, self.down, None, layer.stride, layer.padding, layer.dilation)
        return self.scale * F.conv2d(middle, self.up)


def read_lora(name: str, settings: LoraSettings, parts: Mapping[str, Any]) -> dict[str, Pair]:
    """Read a LoRA file of any usual naming, by module path; raises Unavailable if it is for another model."""
    from safetensors.torch import load_file

    path = locate(settings.path, "LoRA")
    files = sorted(path.glob("*.safetensors")) if path.is_dir() else [path]
    if len(files) != 1 or files[0].suffix != ".safetensors":
        raise Unavailable(f"LoRA {name!r}: expected one .safetensors file at {path}; sdstream opens no other kind")
    foreign = [key for key in check_safetensors(files[0]).shapes if any(mark in key for mark in FOREIGN)]
    if foreign:
        raise Unavailable(
            f"LoRA {name!r}: {files[0]} is more than a LoRA ({min(foreign)}): DoRA, LoHa, LoKr and their like are not "
            "supported; train or look for a plain LoRA"
        )
    with loading(f"LoRA {name!r}: {files[0]}"):
        pairs = _pairs(load_file(files[0]), parts)
    for layer, pair in pairs.items():
        weight = layer_of(parts, layer).weight
        if tuple(weight.shape) != pair.shape() or pair.up.shape[1] != pair.down.shape[0]:
            raise Unavailable(
                f"LoRA {name!r}: {files[0]} was made for another base model: it changes {layer} by "
                f"{list(pair.shape())}, and this model has {list(weight.shape)} there"
            )
    if not pairs:
        raise Unavailable(f"LoRA {name!r}: {files[0]} has nothing that this model knows; it is for another base model")
    return pairs


def _pairs(state: dict[str, Tensor], parts: Mapping[str, Any]) -> dict[str, Pair]:
    from diffusers.loaders import StableDiffusionXLLoraLoaderMixin

    named, alphas = StableDiffusionXLLoraLoaderMixin.lora_state_dict(state, unet_config=parts["unet"].config)
    downs, ups = (_by_path(named, names) for names in (("lora_A", "down"), ("lora_B", "up")))
    if halves := downs.keys() ^ ups.keys():
        raise ValueError(f"{min(halves)} has one half of its pair only")
    scales = {_path(key.removesuffix(".alpha")): float(alpha) for key, alpha in (alphas or {}).items()}
    return {
        path: Pair(down, ups[path], scales.get(path, down.shape[0]) / down.shape[0])
        for path, down in downs.items()
        if path.partition(".")[0] in parts
    }


def _by_path(state: Mapping[str, Tensor], names: tuple[str, str]) -> dict[str, Tensor]:
    ends = tuple(f".{name}.weight" for name in names)
    return {_path(key): value for key, value in state.items() if key.endswith(ends)}


def _path(key: str) -> str:
    """Reduce a layer's name in any of diffusers' namings to the module's own."""
    path = re.sub(r"(\.lora|\.lora_linear_layer|_lora)?\.(lora_A|lora_B|down|up)\.weight$", "", key)
    if path.startswith("text_encoder"):
        return re.sub(r"\.to_(q|k|v|out)$", r".\1_proj", path)
    path = path.replace(".processor.", ".")
    return f"{path}.0" if path.endswith(".to_out") else path


def layer_of(parts: Mapping[str, Any], path: str) -> Any:
    """Find the layer that `path` (part.module) means; text encoders have lost a `text_model.` over the years."""
    part, _, module = path.partition(".")
    for candidate in (module, module.removeprefix("text_model."), f"text_model.{module}"):
        try:
            layer = parts[part].get_submodule(candidate)
        except AttributeError:
            continue
        if isinstance(layer, nn.Linear | nn.Conv2d):
            return layer
    raise Unavailable(f"LoRA layer {path} is not in this model; it is for another base model")
