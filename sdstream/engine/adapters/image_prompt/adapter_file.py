"""Reads IP-Adapter files strictly, through diffusers' own converter: each tensor is applied, or refused by name.

`Any` stands for diffusers' modules: diffusers publishes no types.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from sdstream.config.engine import IpAdapterSettings
from sdstream.engine.adapters.image_prompt.header import LAYERS, PROJECTION, Layout, read_layout, refuse_other_base
from sdstream.engine.weights.component import loading, refuse_not_finite
from sdstream.engine.weights.files import check_safetensors
from sdstream.engine.weights.single_file import locate_file
from sdstream.errors import Unavailable

Matrices = tuple[Tensor, Tensor]
"""From a picture's tokens to keys and to values.  # [hidden, width] each"""


@dataclass(frozen=True, eq=False)
class AdapterWeights:
    """A loaded IP-Adapter, with dtype and device of the U-Net."""

    where: str
    """Name and file, for messages."""
    file: Path
    layout: Layout
    projection: Any
    """The network from the embedding of a picture to tokens [1, tokens, width]."""
    layers: Mapping[str, Matrices]
    """By the name of the attention processor."""


def read_ip_adapter(name: str, settings: IpAdapterSettings, unet: Any) -> AdapterWeights:
    """Read the IP-Adapter `name` for `unet`; raises Unavailable with file and reason."""
    from safetensors.torch import load_file

    file = locate_file(settings.path, settings.file, f"IP-Adapter {name!r}", f"engine.ip_adapters.{name}")
    where = f"IP-Adapter {name!r}: {file}"
    layout = read_layout(check_safetensors(file), where)
    refuse_other_base(layout, unet.config.cross_attention_dim, where)
    places = _places(unet)
    if layout.layers != tuple(places.values()):
        raise Unavailable(
            f"{where} was made for a different U-Net: the IP-Adapter has {len(layout.layers)} layers of the widths "
            f"{_short(layout.layers)}, and this model {len(places)} of the widths {_short(tuple(places.values()))}; "
            "choose an IP-Adapter for this model"
        )
    with loading(where):
        state = {key: tensor.to(unet.device, unet.dtype) for key, tensor in load_file(file).items()}
        refuse_not_finite(state)
        projection = _projection(state, layout)
        layers = {
            place: (state[f"{LAYERS}{number}.to_k_ip.weight"], state[f"{LAYERS}{number}.to_v_ip.weight"])
            for number, place in zip(range(1, 2 * len(places), 2), places, strict=True)
        }
    return AdapterWeights(where, file, layout, projection, layers)


def _places(unet: Any) -> dict[str, int]:
    """Return the cross-attention processors in the order of the files' numbers, with the width of each layer."""
    crossing = [name for name in unet.attn_processors if name.endswith("attn2.processor")]
    return {name: int(unet.get_submodule(name.removesuffix(".processor")).to_k.out_features) for name in crossing}


def _short(widths: tuple[int, ...]) -> str:
    return ", ".join(map(str, sorted(set(widths))))


def _projection(state: Mapping[str, Tensor], layout: Layout) -> Any:
    """Make the network from embeddings to tokens; raises an error of LoadErrors for a tensor without a place."""
    from diffusers.loaders.unet import UNet2DConditionLoadersMixin

    own = {key.removeprefix(PROJECTION): tensor for key, tensor in state.items() if key.startswith(PROJECTION)}
    network = UNet2DConditionLoadersMixin()._convert_ip_adapter_image_proj_to_diffusers(own, low_cpu_mem_usage=False)
    # The converter renames by replacing text, so two names may become one.
    if sum(tensor.numel() for tensor in own.values()) != sum(weight.numel() for weight in network.parameters()):
        raise ValueError(f"a tensor of {PROJECTION}* has no place in an IP-Adapter")
    network.to(next(iter(own.values()))).requires_grad_(False).eval()
    picture = next(iter(own.values())).new_zeros(1, *([] if layout.kind == "base" else [2]), layout.reads)
    if (made := network(picture).shape[-1]) != layout.width:
        raise ValueError(f"the tokens have {made} numbers, and the matrices read tokens of {layout.width}")
    return network


def is_ip_adapter(file: Path) -> bool:
    """Return whether a safetensors file has the parts of an IP-Adapter, of any kind."""
    if not file.is_file() or file.suffix != ".safetensors":
        return False
    names = check_safetensors(file).shapes
    return all(any(name.startswith(part) for name in names) for part in (PROJECTION, LAYERS))


def describe(file: Path) -> str:
    """Return what an IP-Adapter's file holds, for people; raises Unavailable for a file that no run would load."""
    from safetensors.torch import load_file

    where = f"IP-Adapter: {file}"
    layout = read_layout(check_safetensors(file), where)
    with loading(where):
        _projection(load_file(file), layout)
    return (
        f"this is an IP-Adapter ({layout.kind}) for {layout.base}, with {len(layout.layers)} layers, for an image "
        f"encoder with embeddings of {layout.reads} numbers; the fit shows only beside a model"
    )
