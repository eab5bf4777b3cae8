"""Loads a tiny autoencoder without a config: the author's pair of files, a single file, or a folder with the pair.

The shapes tell the sizes. `Any` stands for diffusers' modules: diffusers publishes no types.
"""

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

from sdstream.engine.weights.component import empty, fill, loading
from sdstream.engine.weights.files import check_safetensors, read_config
from sdstream.engine.weights.tiny_autoencoder_header import HALVES, tiny_files

_PREFIXES = ("{}.layers.", "{}.", "taesd_{}.")
"""Prefixes of a half's weights in a file with both halves: diffusers, the author's module, ComfyUI."""


def load_tiny_autoencoder(path: Path, dtype: torch.dtype) -> Any:
    """Load a tiny autoencoder from a file or a folder without a config; raises Unavailable with file and reason."""
    from diffusers import AutoencoderTiny

    where = f"tiny autoencoder: {path}"
    files = tiny_files(path)
    states = {file: _read(file) for file in files}
    with loading(where):
        halves = _halves(list(states.values()))
        config = _config_beside(files[0]) or _config_of(halves)
        weights = {f"{half}.layers.{key}": tensor for half, state in halves.items() for key, tensor in state.items()}
        return fill(empty(lambda: AutoencoderTiny.from_config(config)), weights, dtype)


def _read(file: Path) -> dict[str, Tensor]:
    check_safetensors(file)
    with loading(f"tiny autoencoder: {file}"), safe_open(file, framework="pt") as opened:
        return {key: opened.get_tensor(key) for key in opened.keys()}  # noqa: SIM118 - no mapping


def _halves(states: list[dict[str, Tensor]]) -> dict[str, dict[str, Tensor]]:
    """Return the weights of encoder and decoder by diffusers' names behind `layers.`; raises ValueError."""
    if len(states) == len(HALVES):
        halves = dict(zip(HALVES, states, strict=True))
    else:
        halves = {half: _half(states[0], half) for half in HALVES}
        if rest := states[0].keys() - {key for half in HALVES for key in _keys(states[0], half)}:
            raise ValueError(f"{min(rest)} has no place in a tiny autoencoder")
    decoder = halves["decoder"]
    if "0.weight" not in decoder and "1.weight" in decoder:  # the author's decoder begins with a layer without weights
        halves["decoder"] = {_moved(key): tensor for key, tensor in decoder.items()}
    return halves


def _keys(state: Mapping[str, Tensor], half: str) -> dict[str, str]:
    """Return the keys of a half in `state` -> key without the prefix."""
    for prefix in (template.format(half) for template in _PREFIXES):
        if found := {key: key.removeprefix(prefix) for key in state if key.startswith(prefix)}:
            return found
    raise ValueError(f"expected the weights of a TAESD {half}, and found {min(state, default='no tensor')}")


def _half(state: Mapping[str, Tensor], half: str) -> dict[str, Tensor]:
    return {name: state[key] for key, name in _keys(state, half).items()}


def _moved(key: str) -> str:
    index, _, rest = key.partition(".")
    return f"{int(index) - 1}.{rest}"


def _config_beside(file: Path) -> dict[str, Any]:  # JSON
    """Return the config in diffusers layout beside `file`; empty without such a config."""
    beside = file.with_name("config.json")
    config = read_config(beside, "tiny autoencoder") if beside.is_file() else {}
    return config if config.get("_class_name") == "AutoencoderTiny" else {}


def _config_of(halves: Mapping[str, Mapping[str, Tensor]]) -> dict[str, Any]:  # JSON
    """Return the config of TAESD's architecture with the sizes of the weights."""
    config: dict[str, Any] = {}
    for half, state in halves.items():
        convolutions = sorted(int(key.partition(".")[0]) for key in state if key.count(".") == 1 and "weight" in key)
        blocks = {int(key.partition(".")[0]) for key in state if ".conv." in key}
        shapes = [state[f"{index}.weight"].shape for index in convolutions]
        config[f"num_{half}_blocks"] = [
            sum(first < block < last for block in blocks) for first, last in pairwise(convolutions)
        ]
        config[f"{half}_block_out_channels"] = [shape[0] for shape in shapes[:-1]]
        ends = ("in_channels", "latent_channels") if half == "encoder" else ("latent_channels", "out_channels")
        config |= {ends[0]: shapes[0][1], ends[1]: shapes[-1][0]}
    return config
