"""Applies LoRAs at adjustable weights: each frame in flight keeps the frame's weights, and a constant weight is free.

While all rows of a U-Net call have the same weights, the weights are fused into the layers. After a change of weight,
the layers stay unchanged, and rows with new weights get the difference as a low-rank branch beside each layer. When
the last frame with the old weights has left, the new weights are fused. So a moving slider costs some small products
a row, never a pause. (Draining the frames in flight instead would freeze the picture for n - 1 frames after each
change; fusing at once would change half-finished frames.) Layers are fused from kept originals, so no error adds up.
`Any` stands for diffusers' modules: diffusers publishes no types.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from sdstream.config.engine import LoraSettings
from sdstream.engine.adapters.lora_file import Pair, layer_of, read_lora

Weights = tuple[float, ...]
"""A weight for each LoRA in `Loras.names`."""


def fuse_loras(parts: Mapping[str, Any], settings: Mapping[str, LoraSettings]) -> None:
    """Fuse the LoRAs with `fuse: true` into a model for good; `parts` as for `Loras`."""
    for name, lora in settings.items():
        if lora.fuse:
            for path, pair in read_lora(name, lora, parts).items():
                weight = layer_of(parts, path).weight
                weight.data.add_((lora.weight * pair.delta()).to(weight))


@dataclass
class _Target:
    """A layer that at least one LoRA changes."""

    layer: Any
    original: Tensor
    pairs: dict[int, Pair] = field(default_factory=dict)
    """By the LoRA's index in `Loras.names`."""

    @classmethod
    def of(cls, layer: Any) -> "_Target":
        """Give `layer` a private weight: further copies of the model stay unchanged."""
        original = layer.weight.detach()
        layer.weight = nn.Parameter(original.clone(), requires_grad=False)
        return cls(layer, original)

    def fuse(self, weights: Weights) -> None:
        """Set the layer's weight to the original plus all LoRAs at `weights`."""
        total = self.original.float()
        for index, pair in self.pairs.items():
            if weights[index]:
                total = total + weights[index] * pair.delta()
        self.layer.weight.data.copy_(total)


class Loras:
    """The adjustable LoRAs of a model.

    `parts` are the model's modules by prefix (unet, text_encoder, text_encoder_2), to be changed here: see
    `Model.copy`. Fused weights reach every later copy of `parts`; a row's difference reaches attached U-Nets only.
    """

    def __init__(self, parts: Mapping[str, Any], settings: Mapping[str, LoraSettings]) -> None:
        read = {name: read_lora(name, lora, parts) for name, lora in settings.items() if not lora.fuse}
        self.names = tuple(read)
        """The adjustable LoRAs."""
        self._targets: dict[str, _Target] = {}
        for index, pairs in enumerate(read.values()):
            for path, pair in pairs.items():
                self._add(parts, path, index, pair)
        self._unet = {path: target for path, target in self._targets.items() if path.startswith("unet.")}
        self._text = [target for path, target in self._targets.items() if path not in self._unet]
        self._fused = self._text_weights = (0.0,) * len(self.names)
        self._difference: Tensor | None = None  # [rows, LoRAs]
        self._differences: tuple[Weights, ...] = ()

    def attach(self, unet: Any) -> None:
        """Add the branches to the layers of `unet`, for LoRA weights by row. `unet` is a copy with shared weights."""
        for path, target in self._unet.items():
            layer_of({"unet": unet}, path).register_forward_hook(_Branch(self, target))

    @property
    def difference(self) -> Tensor | None:
        """Each row's weights minus the fused weights; None without a difference.  # [rows, LoRAs]"""
        return self._difference

    def encode_with(self, weights: Weights) -> bool:
        """Fuse `weights` into the text encoders; return whether prompts are to be encoded again."""
        changed = {index for index, weight in enumerate(weights) if weight != self._text_weights[index]}
        touched = [target for target in self._text if changed & target.pairs.keys()]
        for target in touched:
            target.fuse(weights)
        self._text_weights = weights
        return bool(touched)

    def fuse_if_uniform(self, rows: Sequence[Weights]) -> None:
        """Fuse the weights of the next U-Net calls into the U-Net, if all rows have the same weights."""
        if not self._unet or len(set(rows)) != 1 or rows[0] == self._fused:
            return
        changed = {index for index, weight in enumerate(rows[0]) if weight != self._fused[index]}
        for target in self._unet.values():
            if changed & target.pairs.keys():
                target.fuse(rows[0])
        self._fused = rows[0]

    def set_rows(self, rows: Sequence[Weights]) -> None:
        """Set the LoRA weights of each row of the next U-Net call, or of a part of the call."""
        if not self._unet:
            return
        wanted = tuple(tuple(w - f for w, f in zip(row, self._fused, strict=True)) for row in rows)
        if wanted == self._differences:
            return
        self._differences = wanted
        differs = any(weight for row in wanted for weight in row)
        device = next(iter(self._unet.values())).original.device
        self._difference = torch.tensor(wanted, dtype=torch.float32, device=device) if differs else None

    def _add(self, parts: Mapping[str, Any], path: str, index: int, pair: Pair) -> None:
        if path not in self._targets:
            self._targets[path] = _Target.of(layer_of(parts, path))
        target = self._targets[path]
        target.pairs[index] = Pair(pair.down.to(target.original), pair.up.to(target.original), pair.scale)


class _Branch:
    """Adds each row's difference from the fused weights to a layer's output."""

    def __init__(self, loras: Loras, target: _Target) -> None:
        self._loras, self._target = loras, target

    def __call__(self, layer: Any, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor | None:
        difference = self._loras.difference
        if difference is None:
            return None
        for index, pair in self._target.pairs.items():
            share = difference[:, index].to(output.dtype).view(-1, *[1] * (output.ndim - 1))  # [rows, 1, ...]
            output = output + share * pair.branch(layer, inputs[0])
        return output
