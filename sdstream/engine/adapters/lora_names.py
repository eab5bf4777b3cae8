"""Finds the layer of each tensor of a LoRA file, in the namings of all trainers.

A naming differs in the prefix of the model's part, in dots or underscores, and in the names of the U-Net's blocks. So a
layer is looked up by the layer's name with underscores for dots; diffusers' own converter turns the block names of the
original code into diffusers' names. `Any` stands for modules of diffusers and transformers: neither publishes types.
"""

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from sdstream.engine.adapters.lora_roles import PEFT, PREFIXES, role_of
from sdstream.engine.weights.component import LoadErrors

_LEFT = (
    (re.compile(r"_in_layers_0$"), "_norm1"),
    (re.compile(r"_out_layers_0$"), "_norm2"),
    (re.compile(r"^out_0$"), "conv_norm_out"),
    (re.compile(r"_attentions_\d+_conv$"), "_upsamplers_0_conv"),  # in a block without attention
)
"""Names that diffusers' converter of LoRAs leaves alone or takes for attention, and the right names."""


class Layers:
    """The layers of a model that a LoRA may change, by the names of any trainer."""

    def __init__(self, parts: Mapping[str, Any]) -> None:
        """`parts` are the model's modules by name: unet, text_encoder, text_encoder_2."""
        self._config = parts["unet"].config if "unet" in parts else None
        self._modules: dict[str, Any] = {}
        self._paths: dict[str, dict[str, str]] = {}
        for part, module in parts.items():
            found = {f"{part}.{name}": layer for name, layer in module.named_modules() if _changes(layer)}
            self._modules |= found
            self._paths[part] = {_plain(part, path.removeprefix(f"{part}.")): path for path in found}

    def __getitem__(self, path: str) -> Any:
        """Return the layer at `path` (part.module)."""
        return self._modules[path]

    def find(self, name: str) -> str | None:
        """Return the path (part.module) of the layer `name`; None for a layer that is not in the model."""
        name = name.removeprefix(PEFT)
        prefix = next((prefix for prefix in PREFIXES if name.startswith(prefix)), None)
        if prefix is not None:
            return self._of_part(PREFIXES[prefix], name.removeprefix(prefix))
        found = [path for part in self._paths if (path := self._of_part(part, name))]
        return found[0] if len(found) == 1 else None  # two text encoders have layers of the same name

    def _of_part(self, part: str, name: str) -> str | None:
        paths = self._paths.get(part, {})
        if path := paths.get(_plain(part, name)):
            return path
        return paths.get(_plain(part, self._converted(name))) if part == "unet" else None

    def _converted(self, name: str) -> str:
        """Return the name that diffusers' converter gives to a layer of the original U-Net, or `name`."""
        from diffusers.loaders import StableDiffusionXLLoraLoaderMixin

        name = name.replace(".", "_")
        ends = (".lora_down.weight", ".lora_up.weight")
        pair = {f"lora_unet_{name}{end}": torch.empty(0) for end in ends}
        try:
            named, _ = StableDiffusionXLLoraLoaderMixin.lora_state_dict(pair, unet_config=self._config)
        except LoadErrors:
            return name
        converted = role_of(next(iter(named), ""))
        plain = converted[0].removeprefix("unet.").replace(".", "_") if converted else name
        for expression, right in _LEFT:
            plain = expression.sub(right, plain)
        return plain


def _changes(layer: Any) -> bool:
    return isinstance(layer, nn.Linear | nn.Conv2d | nn.GroupNorm | nn.LayerNorm)


def _plain(part: str, name: str) -> str:
    """Return a layer's name in the form to compare: underscores, and the layers of attention by the newest names."""
    plain = name.replace(".", "_").replace("_processor_", "_").removesuffix("_lora")
    if part.startswith("text_encoder"):  # only some versions of transformers have the prefix `text_model`
        plain = re.sub(r"_to_(q|k|v|out)$", r"_\1_proj", plain)
        return plain.removeprefix("text_model_")
    return f"{plain}_0" if plain.endswith("_to_out") else plain
