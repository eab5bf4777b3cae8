"""Reads rank and alpha of a LoRA from the header of the file, as PEFT and diffusers write the header.

The header holds PEFT's `LoraConfig` as JSON; PEFT itself writes the same fields into a file beside the weights. A field
with an influence on the picture is applied or refused by name.
"""

import json
import math
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

CONFIG = "lora_adapter_metadata"
"""Metadata entry of diffusers with a `LoraConfig` for each part; a key is `unet.lora_alpha` or, without a part,
`lora_alpha`."""

PEFT_WEIGHTS, PEFT_CONFIG = "adapter_model.safetensors", "adapter_config.json"
"""The files of a LoRA in PEFT's own layout."""

_APPLIED = {"r", "lora_alpha", "alpha", "use_rslora", "rank_pattern", "alpha_pattern"}

_TRAINING = {
    "auto_mapping", "base_model_name_or_path", "corda_config", "decompose_both", "decompose_factor",
    "ensure_weight_tying", "eva_config", "exclude_modules", "fan_in_fan_out", "inference_mode", "init_weights",
    "layers_pattern", "layers_to_transform", "loftq_config", "lora_dropout", "lora_ga_config", "megatron_config",
    "megatron_core", "module_dropout", "peft_version", "qalora_group_size", "rank_dropout", "rank_dropout_scale",
    "revision", "runtime_config", "target_modules", "task_type", "use_effective_conv2d", "velora_config",
}  # fmt: skip
"""Fields without an influence on the picture: the tensors of the file tell which layers change."""

_LONGEST, _REPETITIONS = 512, 2
"""Bounds of a pattern of layer names, in characters and in repetitions; PEFT itself writes names without any."""

_ONLY = {
    "peft_type": ("LORA", "LOHA", "LOKR"),
    "bias": ("none", "all", "lora_only"),
    "init_lora_weights": (True, "gaussian", "orthogonal", "eva"),  # further kinds change the base weights too
    "use_dora": (True,),
    "lora_bias": (True,),
}
"""Fields with a fixed set of values, beside empty values."""

_LISTS = {"modules_to_save"}
"""Fields with names of layers."""

_BROUGHT = {
    ("peft_type", "LOHA"): "hada_w1_a",
    ("peft_type", "LOKR"): "lokr_",
    ("bias", "all"): "whole bias",
    ("bias", "lora_only"): "whole bias",
    ("use_dora", True): "magnitude",
    ("lora_bias", True): "up bias",
    ("modules_to_save", None): "whole",
}
"""(Field, value or None for any value) -> start of the role of a tensor that the field brings."""

Layer = tuple[int | None, Collection[str]]
"""The rank of a layer's change, or None, and the roles of the layer's tensors."""


def header_of(file: Path, metadata: Mapping[str, str]) -> Mapping[str, str]:
    """Return the metadata of a file; the config beside a file in PEFT's layout counts as metadata."""
    config = file.with_name(PEFT_CONFIG)
    if file.name != PEFT_WEIGHTS or CONFIG in metadata or not config.is_file():
        return metadata
    return {**metadata, CONFIG: config.read_text(encoding="utf-8")}


def header_scales(metadata: Mapping[str, str], layers: Mapping[str, Layer]) -> dict[str, float]:
    """Return the factor of each change by module path (part.module), for each part with a config in the header.

    Raises ValueError or TypeError for a field without support, and for a rank unlike the tensors' rank.
    """
    if CONFIG not in metadata:
        return {}
    config = json.loads(metadata[CONFIG])
    if not isinstance(config, dict):
        raise TypeError(f"header entry {CONFIG} is no JSON object")
    parts = {path.partition(".")[0] for path in layers}
    roles = {part: _roles(layers, part) for part in parts}
    fields = {part: _fields(config, part, roles[part]) for part in parts}
    scales = {}
    for path, (rank, own) in layers.items():
        part, _, module = path.partition(".")
        if fields[part] and any(role.startswith(("up", "hada_", "lokr_")) for role in own):
            scales[path] = _scale(fields[part], module, rank)
    return scales


def _roles(layers: Mapping[str, Layer], part: str) -> set[str]:
    return {role for path, (_, roles) in layers.items() if path.startswith(f"{part}.") for role in roles}


def _fields(config: Mapping[str, Any], part: str, roles: Collection[str]) -> dict[str, Any]:  # JSON
    """Return the fields of `part`; raises ValueError for a field with a value that cannot be applied."""
    fields = {key: value for key, value in config.items() if "." not in key}
    fields |= {key.removeprefix(f"{part}."): value for key, value in config.items() if key.startswith(f"{part}.")}
    for key, value in fields.items():
        if value and key not in _APPLIED | _TRAINING | _LISTS and value not in _ONLY.get(key, ()):
            raise ValueError(f"header entry {CONFIG} has {key} {value!r}, and sdstream cannot apply {key}")
    for (key, wanted), start in _BROUGHT.items():
        value = fields.get(key)
        if value and wanted in (None, value) and not any(role.startswith(start) for role in roles):
            raise ValueError(f"header entry {CONFIG} has {key} {value!r}, and the file has no such tensor")
    return fields


def _scale(fields: Mapping[str, Any], module: str, rank: int | None) -> float:
    stated = _of_module(fields, "rank_pattern", module, fields.get("r", rank))
    if rank is not None and stated != rank:
        raise ValueError(f"header entry {CONFIG} states rank {stated} for {module}, and the tensors have rank {rank}")
    if not stated:
        return 1.0
    alpha = float(_of_module(fields, "alpha_pattern", module, fields.get("lora_alpha", fields.get("alpha", stated))))
    if not math.isfinite(alpha):
        raise ValueError(f"header entry {CONFIG} states alpha {alpha} for {module}: expected a finite number")
    return alpha / (math.sqrt(stated) if fields.get("use_rslora") else stated)


def _refuse_slow(expression: str, pattern: str) -> None:
    """Raise ValueError for a pattern of a stranger's that may take hours: repetitions inside repetitions, and many."""
    repetitions = len(re.findall(r"[*+{]", expression))
    if len(expression) > _LONGEST or repetitions > _REPETITIONS or re.search(r"\)[*+{?]|\\\d|\(\?", expression):
        raise ValueError(f"header entry {CONFIG}: {pattern} {expression[:40]!r} may take hours to match")


def _of_module(fields: Mapping[str, Any], pattern: str, module: str, default: Any) -> Any:  # a number in JSON
    """Return the value of the first pattern that fits the end of the module's name, as PEFT does."""
    for expression, value in (fields.get(pattern) or {}).items():
        _refuse_slow(expression, pattern)
        try:
            if re.match(rf"(.*\.)?({expression})$", module):
                return value
        except re.error as error:
            raise ValueError(f"header entry {CONFIG}: {pattern} {expression!r} is no pattern: {error}") from error
    return default
