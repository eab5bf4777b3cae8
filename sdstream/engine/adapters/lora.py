"""LoRAs at any weight, live: each frame in flight keeps its own, and a weight that stays costs nothing.

While all rows of a U-Net call want the same weights, these are melted into the layers. When a weight changes, the
layers stay as they are, and rows that want others get the difference as a low-rank branch beside each layer; once the
last frame with the old weights has left, the new ones are melted in. So a slider in motion costs some small products
a row, never a pause. (Draining the frames in flight instead would freeze the picture for n - 1 frames after each
change; melting at once would change frames that are half done.) Layers are melted anew from kept originals, so that
no error adds up. `Any` stands for diffusers' modules, which publish no types.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from sdstream.config.engine import LoraSettings
from sdstream.engine.adapters.lora_file import Pair, layer_of, read_lora

Weights = tuple[float, ...]
"""Of each LoRA in `Loras.names`."""


@dataclass
class _Target:
    """A layer that at least one LoRA changes."""

    layer: Any
    original: Tensor
    pairs: dict[int, Pair] = field(default_factory=dict)
    """By the LoRA's place in `Loras.names`."""

    def melt(self, weights: Weights) -> None:
        """Rewrite the layer's weight."""
        total = self.original.float()
        for place, pair in self.pairs.items():
            if weights[place]:
                total = total + weights[place] * pair.delta()
        self.layer.weight.data.copy_(total)


class Loras:
    """The LoRAs of one model. `parts` are its modules by prefix: unet, text_encoder, text_encoder_2."""

    def __init__(self, parts: Mapping[str, Any], settings: Mapping[str, LoraSettings]) -> None:
        self._targets: dict[str, _Target] = {}
        read = {name: read_lora(name, lora, parts) for name, lora in settings.items()}
        for name in (name for name, lora in settings.items() if lora.fuse):
            for path, pair in read.pop(name).items():
                weight = layer_of(parts, path).weight
                weight.data.add_(pair.delta().to(weight))
        self.names = tuple(read)
        """Those that can be turned up and down."""
        for place, pairs in enumerate(read.values()):  # after the fused ones, which belong to the originals
            for path, pair in pairs.items():
                self._add(parts, path, place, pair)
        self._unet = [target for path, target in self._targets.items() if path.startswith("unet.")]
        self._text = [target for path, target in self._targets.items() if not path.startswith("unet.")]
        self._melted = self._text_weights = (0.0,) * len(self.names)
        self._difference: Tensor | None = None  # [rows, LoRAs]
        self._differences: tuple[Weights, ...] = ()
        for target in self._unet:
            target.layer.register_forward_hook(_Branch(self, target))

    @property
    def difference(self) -> Tensor | None:
        """What each row of the call wants beyond the melted weights; None: nothing.  # [rows, LoRAs]"""
        return self._difference

    def encode_with(self, weights: Weights) -> bool:
        """Give the text encoders these weights; return whether prompts are to be encoded anew."""
        changed = {place for place, weight in enumerate(weights) if weight != self._text_weights[place]}
        touched = [target for target in self._text if changed & target.pairs.keys()]
        for target in touched:
            target.melt(weights)
        self._text_weights = weights
        return bool(touched)

    def settle(self, rows: Sequence[Weights]) -> None:
        """Melt the weights that all rows of the next U-Net calls want, if they do."""
        if not self._unet or len(set(rows)) != 1 or rows[0] == self._melted:
            return
        changed = {place for place, weight in enumerate(rows[0]) if weight != self._melted[place]}
        for target in self._unet:
            if changed & target.pairs.keys():
                target.melt(rows[0])
        self._melted = rows[0]

    def face(self, rows: Sequence[Weights]) -> None:
        """Say what each row of the next U-Net call, or part of one, wants."""
        if not self._unet:
            return
        wanted = tuple(tuple(w - m for w, m in zip(row, self._melted, strict=True)) for row in rows)
        if wanted == self._differences:
            return
        self._differences = wanted
        differs = any(weight for row in wanted for weight in row)
        device = self._unet[0].original.device
        self._difference = torch.tensor(wanted, dtype=torch.float32, device=device) if differs else None

    def _add(self, parts: Mapping[str, Any], path: str, place: int, pair: Pair) -> None:
        layer = layer_of(parts, path)
        weight = layer.weight
        target = self._targets.setdefault(path, _Target(layer, weight.detach().clone()))
        target.pairs[place] = Pair(pair.down.to(weight), pair.up.to(weight), pair.scale)


class _Branch:
    """Adds to a layer's output what its rows want beyond what is melted in."""

    def __init__(self, loras: Loras, target: _Target) -> None:
        self._loras, self._target = loras, target

    def __call__(self, layer: Any, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor | None:
        difference = self._loras.difference
        if difference is None:
            return None
        for place, pair in self._target.pairs.items():
            share = difference[:, place].to(output.dtype).view(-1, *[1] * (output.ndim - 1))
            output = output + share * pair.branch(layer, inputs[0])
        return output
