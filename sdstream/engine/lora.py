"""LoRAs melted into the weights, at any weight, live: a frame costs the same with them as without.

Changing a weight rewrites the layers it touches, from kept originals, so that no error adds up. All frames in
flight see the change: the weights are shared. `Any` stands for diffusers' modules, which publish no types.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from sdstream.config.engine_settings import LoraSettings
from sdstream.engine.files import check_safetensors, locate
from sdstream.errors import Unavailable


@dataclass(frozen=True)
class _Pair:
    down: Tensor  # [r, in] or [r, in, k, k]
    up: Tensor  # [out, r] or [out, r, 1, 1]
    scale: float

    def shape(self) -> tuple[int, ...]:
        """Return the shape of the weight that it changes."""
        return (self.up.shape[0], *self.down.shape[1:])

    def delta(self) -> Tensor:
        """Return the change of the weight, at weight 1."""
        change = self.up.flatten(1).float() @ self.down.flatten(1).float()
        return (self.scale * change).view(self.shape())


@dataclass
class _Target:
    """A weight that at least one LoRA changes."""

    weight: Tensor
    original: Tensor
    pairs: dict[str, _Pair] = field(default_factory=dict)


class Loras:
    """The LoRAs of one model. `parts` are its modules by prefix: unet, text_encoder, text_encoder_2."""

    def __init__(self, parts: Mapping[str, Any], settings: Mapping[str, LoraSettings]) -> None:
        self._targets: dict[str, _Target] = {}
        self._weights: dict[str, float] = {}
        read = {name: _read(name, lora, parts) for name, lora in settings.items()}
        for name in (name for name, lora in settings.items() if lora.fuse):
            for path, pair in read.pop(name).items():
                weight = _weight(parts, path)
                weight.data.add_(pair.delta().to(weight))
        for name, pairs in read.items():  # after the fused ones, which belong to the originals
            for path, pair in pairs.items():
                weight = _weight(parts, path)
                target = self._targets.setdefault(path, _Target(weight, weight.detach().clone()))
                target.pairs[name] = _Pair(pair.down.to(weight), pair.up.to(weight), pair.scale)
        self.names = tuple(read)
        """Those that can be turned up and down."""

    def set(self, weights: Mapping[str, float]) -> bool:
        """Give each LoRA its weight, those not named 0; return whether anything changed."""
        wanted = {name: weight for name, weight in weights.items() if weight}
        if wanted == self._weights:
            return False
        changed = {name for name in wanted.keys() | self._weights if wanted.get(name) != self._weights.get(name)}
        for target in self._targets.values():
            if changed & target.pairs.keys():
                total = target.original.float()
                for name, pair in target.pairs.items():
                    if name in wanted:
                        total = total + wanted[name] * pair.delta()
                target.weight.data.copy_(total)
        self._weights = wanted
        return True


def _read(name: str, settings: LoraSettings, parts: Mapping[str, Any]) -> dict[str, _Pair]:
    """Read a LoRA file of any usual naming, by module path; raises Unavailable if it is for another model."""
    from safetensors.torch import load_file

    path = locate(settings.path, "LoRA")
    files = sorted(path.glob("*.safetensors")) if path.is_dir() else [path]
    if len(files) != 1 or files[0].suffix != ".safetensors":
        raise Unavailable(f"LoRA {name!r}: expected one .safetensors file at {path}; sdstream opens no other kind")
    check_safetensors(files[0])
    try:
        pairs = _pairs(load_file(files[0]), parts)
    except (KeyError, ValueError, RuntimeError, IndexError) as error:
        raise Unavailable(f"LoRA {name!r}: {files[0]} cannot be read: {error}") from error
    for layer, pair in pairs.items():
        weight = _weight(parts, layer)
        if tuple(weight.shape) != pair.shape():
            raise Unavailable(
                f"LoRA {name!r}: {files[0]} was made for another base model: it changes {layer} by "
                f"{list(pair.shape())}, and this model has {list(weight.shape)} there"
            )
    if not pairs:
        raise Unavailable(f"LoRA {name!r}: {files[0]} has nothing that this model knows; it is for another base model")
    return pairs


def _pairs(state: dict[str, Tensor], parts: Mapping[str, Any]) -> dict[str, _Pair]:
    from diffusers.loaders import StableDiffusionXLLoraLoaderMixin

    named, alphas = StableDiffusionXLLoraLoaderMixin.lora_state_dict(state, unet_config=parts["unet"].config)
    downs, ups = (_by_path(named, names) for names in (("lora_A", "down"), ("lora_B", "up")))
    scales = {_path(key.removesuffix(".alpha")): float(alpha) for key, alpha in (alphas or {}).items()}
    return {
        path: _Pair(down, ups[path], scales.get(path, down.shape[0]) / down.shape[0])
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


def _weight(parts: Mapping[str, Any], path: str) -> Tensor:
    """Find the weight that `path` (part.module) means; text encoders have lost a `text_model.` over the years."""
    part, _, module = path.partition(".")
    for candidate in (module, module.removeprefix("text_model."), f"text_model.{module}"):
        try:
            found: Tensor = parts[part].get_submodule(candidate).weight
        except AttributeError:
            continue
        return found
    raise Unavailable(f"LoRA layer {path} is not in this model; it is for another base model")
