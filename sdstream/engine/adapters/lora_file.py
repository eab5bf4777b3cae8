"""Reads LoRA files of any naming and format, strictly: each tensor is applied, or refused by name.

`Any` stands for the modules of diffusers and transformers: neither publishes types.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from sdstream.config.engine import LoraSettings
from sdstream.engine.adapters.lora_base import cannot_apply, obstacle, other_base
from sdstream.engine.adapters.lora_changes import Change, Misfit
from sdstream.engine.adapters.lora_format import Tensors, make_bias, make_weight, rank_of, scalable
from sdstream.engine.adapters.lora_header import CONFIG, header_of, header_scales
from sdstream.engine.adapters.lora_names import Layers
from sdstream.engine.adapters.lora_roles import role_of
from sdstream.engine.conditioning.inversion_names import BUNDLE
from sdstream.engine.weights.base_model import BaseModel
from sdstream.engine.weights.component import loading, refuse_not_finite
from sdstream.engine.weights.files import check_safetensors
from sdstream.engine.weights.single_file import locate_file
from sdstream.errors import Unavailable


@dataclass(frozen=True)
class LayerChange:
    """The change of a layer at weight 1."""

    weight: Change | None
    bias: Change | None

    def deltas(self, weight: Tensor | None, bias: Tensor | None) -> tuple[Tensor | None, Tensor | None]:
        """Return the differences from the layer's `weight` and `bias`, in float32; None for no change."""
        return (
            None if self.weight is None or weight is None else self.weight.delta(weight),
            None if self.bias is None or bias is None else self.bias.delta(bias),
        )

    def to(self, originals: Sequence[Tensor | None]) -> "LayerChange":
        """Return the change with dtype and device of the layer's numbers; None stands for unchanged numbers."""
        parts = [
            None if part is None or original is None else part.to(original)
            for part, original in zip((self.weight, self.bias), originals, strict=True)
        ]
        return LayerChange(parts[0], parts[1])


def read_lora(name: str, settings: LoraSettings, parts: Mapping[str, Any]) -> dict[str, LayerChange]:
    """Read a LoRA, by path of the layer (part.module); raises Unavailable with LoRA, file and reason.

    `parts` are the model's modules by name: unet, text_encoder, text_encoder_2.
    """
    from safetensors.torch import load_file

    file = locate_file(settings.path, settings.file, "LoRA", f"engine.loras.{name}")
    where = f"LoRA {name!r}: {file}"
    header = check_safetensors(file)
    base = BaseModel.of(parts["unet"].config)
    if why := obstacle(header, base):
        raise Unavailable(f"{where} {why}")
    foreign = f"{where} {other_base(header, base)}"
    layers = Layers(parts)
    with loading(where):
        by_layer = _by_layer(load_file(file), layers, where, foreign)
        metadata = header_of(file, header.metadata)
        stated = header_scales(metadata, {path: (found.rank, found.roles) for path, found in by_layer.items()})
        changes = {}
        for path, found in by_layer.items():
            with _naming(path, found):
                changes[path] = _change(found, stated.get(path))
                _check(path, changes[path], layers[path], foreign)
    if not changes:
        raise Unavailable(f"{where} has no tensor: choose a LoRA for this model")
    return changes


@dataclass(frozen=True)
class _Found:
    """The tensors of a layer in a file."""

    tensors: Tensors
    keys: list[str]

    @property
    def rank(self) -> int | None:
        return rank_of(self.tensors)

    @property
    def roles(self) -> frozenset[str]:
        return frozenset(self.tensors)


@contextmanager
def _naming(path: str, found: _Found) -> Iterator[None]:
    """Add the layer and the tensors to the message of a ValueError inside the block."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{path} {error} ({', '.join(found.keys)})") from error


def _by_layer(state: dict[str, Tensor], layers: Layers, where: str, foreign: str) -> dict[str, _Found]:
    """Sort the tensors by layer and role; raises Unavailable for a layer that the model does not have."""
    by_layer: dict[str, _Found] = {}
    paths: dict[str, str | None] = {}
    for key, tensor in sorted(state.items()):
        if key.startswith(BUNDLE):
            continue  # a new word: `engine/conditioning/textual_inversion.py` reads the word
        split = role_of(key)
        if split is None:
            raise Unavailable(f"{where} {cannot_apply(key)}")
        name, role = split
        if name not in paths:
            paths[name] = layers.find(name)
        path = paths[name]
        if path is None:
            if role.startswith("whole"):
                raise Unavailable(f"{where} {cannot_apply(key)}")
            raise Unavailable(f"{foreign} (this model has no layer {name})")
        found = by_layer.setdefault(path, _Found({}, []))
        if role in found.tensors:
            raise ValueError(f"{key}: the file has a second tensor for the same place, {path}")
        found.tensors[role] = tensor
        found.keys.append(key)
    return by_layer


def _change(found: _Found, stated: float | None) -> LayerChange:
    """Make the change of a layer; `stated` is the factor in the header. Raises ValueError."""
    tensors = dict(found.tensors)
    refuse_not_finite(tensors)
    alpha = tensors.pop("alpha", None)
    if integers := [role for role, tensor in tensors.items() if not tensor.is_floating_point()]:
        dtype = tensors[integers[0]].dtype
        raise ValueError(f"has a tensor ({integers[0]}) of dtype {dtype}: expected a floating-point dtype")
    if alpha is not None and not scalable(tensors):
        raise ValueError("has an alpha, and no pair of matrices")
    if alpha is not None and stated is not None:
        raise ValueError(f"has an alpha as a tensor and in the header entry {CONFIG}: expected a single alpha")
    scale = _scale(alpha, found.rank) if stated is None else stated
    change = LayerChange(make_weight(tensors, scale), make_bias(tensors, scale))
    if tensors:
        used = ", ".join(sorted(found.roles - tensors.keys()))
        raise ValueError(f"has a tensor ({min(tensors)}) without a meaning beside the rest ({used})")
    return change


def _scale(alpha: Tensor | None, rank: int | None) -> float:
    if alpha is None or not rank:
        return 1.0
    if alpha.numel() != 1:
        raise ValueError(f"has {alpha.numel()} alphas: expected a single number")
    return float(alpha) / rank


def _check(path: str, change: LayerChange, layer: Any, foreign: str) -> None:
    """Refuse a change that does not fit the layer, or that the layer's dtype cannot hold."""
    if isinstance(layer, nn.GroupNorm | nn.LayerNorm) and change.bias is None and layer.bias is not None:
        raise ValueError("has a change of the weight (w_norm), and none of the bias (b_norm is missing)")
    for parameter, part in (("weight", change.weight), ("bias", change.bias)):
        if part is None:
            continue
        original: Tensor | None = getattr(layer, parameter)
        if original is None:
            raise ValueError(f"has a change of the {parameter}, and the model's layer has no {parameter}")
        try:
            total = original.float() + part.to(original).delta(original)
        except Misfit as error:
            shapes = str(error).replace("shape is", f"shape for {path}.{parameter} is", 1)
            raise Unavailable(f"{foreign} ({shapes})") from error
        refuse_not_finite({f"{parameter} with the LoRA": total.to(original.dtype)})
