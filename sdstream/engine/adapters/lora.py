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
from torch import Tensor

from sdstream.config.engine import LoraSettings
from sdstream.engine.adapters.lora_changes import run
from sdstream.engine.adapters.lora_file import LayerChange, read_lora
from sdstream.engine.adapters.lora_names import Layers

Weights = tuple[float, ...]
"""A weight for each LoRA in `Loras.names`."""


def fuse_loras(parts: Mapping[str, Any], settings: Mapping[str, LoraSettings]) -> None:
    """Fuse the LoRAs with `fuse: true` into a model for good; `parts` as for `Loras`."""
    layers = Layers(parts)
    for name, lora in settings.items():
        if lora.fuse:
            for path, change in read_lora(name, lora, parts).items():
                both = layers[path].weight, layers[path].bias
                for parameter, delta in zip(both, change.to(both).deltas(*both), strict=True):
                    if parameter is not None and delta is not None:
                        parameter.data.copy_(parameter.float() + lora.weight * delta)


@dataclass
class _Target:
    """A layer that at least one LoRA changes."""

    layer: Any
    originals: tuple[Tensor | None, Tensor | None]
    """Weight and bias of the model, as far as a LoRA changes either; None for the rest."""
    changes: dict[int, LayerChange] = field(default_factory=dict)
    """By the LoRA's index in `Loras.names`."""

    @classmethod
    def of(cls, layer: Any, changes: dict[int, LayerChange]) -> "_Target":
        """Give `layer` private numbers where a LoRA changes numbers: further copies of the model stay unchanged."""
        originals: list[Tensor | None] = []
        for parameter in ("weight", "bias"):
            if all(getattr(change, parameter) is None for change in changes.values()):
                originals.append(None)
                continue
            own: Tensor = getattr(layer, parameter)
            originals.append(own.detach())
            own.data = own.detach().clone()
        moved = {index: change.to(originals) for index, change in changes.items()}
        return cls(layer, (originals[0], originals[1]), moved)

    def fuse(self, weights: Weights) -> None:
        """Set the layer's numbers to the originals plus all LoRAs at `weights`."""
        deltas = [
            (weights[index], change.deltas(*self.originals)) for index, change in self.changes.items() if weights[index]
        ]
        for place, original in enumerate(self.originals):
            if original is None:
                continue
            total = original.float()
            for weight, delta in deltas:
                change = delta[place]
                total = total if change is None else total + weight * change
            parameter = self.layer.bias if place else self.layer.weight
            parameter.data.copy_(total)

    def branch(self, index: int, layer: Any, x: Tensor) -> Tensor:
        """Return the change of the output of `layer`, a copy of the layer, for the input `x` by a LoRA at weight 1."""
        change = self.changes[index]
        if change.bias is None and change.weight is not None:
            short = change.weight.low_rank(layer, x)
            if short is not None:
                return short
        weight, bias = (None if delta is None else delta.to(x.dtype) for delta in change.deltas(*self.originals))
        return run(layer, x, weight, bias)


class Loras:
    """The adjustable LoRAs of a model.

    `parts` are the model's modules by prefix (unet, text_encoder, text_encoder_2), to be changed here: see
    `Model.copy`. Fused weights reach every later copy of `parts`; a row's difference reaches attached U-Nets only.
    """

    def __init__(self, parts: Mapping[str, Any], settings: Mapping[str, LoraSettings]) -> None:
        read = {name: read_lora(name, lora, parts) for name, lora in settings.items() if not lora.fuse}
        self.names = tuple(read)
        """The adjustable LoRAs."""
        by_layer: dict[str, dict[int, LayerChange]] = {}
        for index, changes in enumerate(read.values()):
            for path, change in changes.items():
                by_layer.setdefault(path, {})[index] = change
        layers = Layers(parts)
        targets = {path: _Target.of(layers[path], changes) for path, changes in by_layer.items()}
        self._unet = {path: target for path, target in targets.items() if path.startswith("unet.")}
        self._text = [target for path, target in targets.items() if path not in self._unet]
        self._device = None if not parts else parts["unet"].device
        self._fused = self._text_weights = (0.0,) * len(self.names)
        self._difference: Tensor | None = None  # [rows, LoRAs]
        self._differences: tuple[Weights, ...] = ()

    def attach(self, unet: Any) -> None:
        """Add the branches to the layers of `unet`, for LoRA weights by row. `unet` is a copy with shared weights."""
        for path, target in self._unet.items():
            layer = unet.get_submodule(path.removeprefix("unet."))
            layer.register_forward_hook(_Branch(self, target))

    @property
    def difference(self) -> Tensor | None:
        """Each row's weights minus the fused weights; None without a difference.  # [rows, LoRAs]"""
        return self._difference

    def encode_with(self, weights: Weights) -> bool:
        """Fuse `weights` into the text encoders; return whether prompts are to be encoded again."""
        changed = {index for index, weight in enumerate(weights) if weight != self._text_weights[index]}
        touched = [target for target in self._text if changed & target.changes.keys()]
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
            if changed & target.changes.keys():
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
        self._difference = torch.tensor(wanted, dtype=torch.float32, device=self._device) if differs else None


class _Branch:
    """Adds each row's difference from the fused weights to a layer's output."""

    def __init__(self, loras: Loras, target: _Target) -> None:
        self._loras, self._target = loras, target

    def __call__(self, layer: Any, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor | None:
        difference = self._loras.difference
        if difference is None:
            return None
        for index in self._target.changes:
            share = difference[:, index].to(output.dtype).view(-1, *[1] * (output.ndim - 1))  # [rows, 1, ...]
            output = output + share * self._target.branch(index, layer, inputs[0])
        return output
