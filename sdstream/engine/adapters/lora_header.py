"""Reads rank and alpha of a LoRA from the header of the file, as PEFT and diffusers write the header.

The header holds PEFT's `LoraConfig` as JSON. A field with an influence on the picture is applied or refused by name.
"""

import json
import math
import re
from collections.abc import Mapping
from typing import Any

CONFIG = "lora_adapter_metadata"
"""Metadata entry of diffusers with a `LoraConfig` for each part; a key is `unet.lora_alpha` or, without a part,
`lora_alpha`."""

_APPLIED = {"r", "lora_alpha", "use_rslora", "rank_pattern", "alpha_pattern"}

_TRAINING = {
    "auto_mapping", "base_model_name_or_path", "corda_config", "ensure_weight_tying", "eva_config", "exclude_modules",
    "fan_in_fan_out", "inference_mode", "layers_pattern", "layers_to_transform", "loftq_config", "lora_dropout",
    "lora_ga_config", "megatron_config", "megatron_core", "peft_version", "qalora_group_size", "revision",
    "runtime_config", "target_modules", "task_type", "velora_config",
}  # fmt: skip
"""Fields without an influence on the picture: the tensors of the file tell which layers change."""

_ONLY = {
    "peft_type": ("LORA",),
    "bias": ("none",),
    "init_lora_weights": (True, "gaussian", "orthogonal", "eva"),  # further kinds change the base weights too
}
"""Fields with a fixed set of values, beside empty values."""


def header_scales(metadata: Mapping[str, str], ranks: Mapping[str, int]) -> dict[str, float]:
    """Return the factor of `up @ down` by module path (part.module), for each part with a config in the header.

    `ranks` has the rank of each layer by module path. Raises ValueError or TypeError for a field without support, and
    for a rank unlike the tensors' rank.
    """
    if CONFIG not in metadata:
        return {}
    config = json.loads(metadata[CONFIG])
    if not isinstance(config, dict):
        raise TypeError(f"header entry {CONFIG} is no JSON object")
    scales = {}
    for path, rank in ranks.items():
        part, _, module = path.partition(".")
        if fields := _fields(config, part):
            scales[path] = _scale(fields, module, rank)
    return scales


def _fields(config: Mapping[str, Any], part: str) -> dict[str, Any]:  # JSON
    """Return the fields of `part`; raises ValueError for a field with a value that cannot be applied."""
    fields = {key: value for key, value in config.items() if "." not in key}
    fields |= {key.removeprefix(f"{part}."): value for key, value in config.items() if key.startswith(f"{part}.")}
    for key, value in fields.items():
        if value and key not in _APPLIED | _TRAINING and value not in _ONLY.get(key, ()):
            raise ValueError(f"header entry {CONFIG} has {key} {value!r}, and sdstream cannot apply {key}")
    return fields


def _scale(fields: Mapping[str, Any], module: str, rank: int) -> float:
    stated = _of_module(fields, "rank_pattern", module, fields.get("r", rank))
    if stated != rank:
        raise ValueError(f"header entry {CONFIG} states rank {stated} for {module}, and the tensors have rank {rank}")
    alpha = float(_of_module(fields, "alpha_pattern", module, fields.get("lora_alpha", rank)))
    if not math.isfinite(alpha):
        raise ValueError(f"header entry {CONFIG} states alpha {alpha} for {module}: expected a finite number")
    return alpha / (math.sqrt(rank) if fields.get("use_rslora") else rank)


def _of_module(fields: Mapping[str, Any], pattern: str, module: str, default: Any) -> Any:  # a number in JSON
    """Return the value of the first pattern that fits the end of the module's name, as PEFT does."""
    for expression, value in (fields.get(pattern) or {}).items():
        try:
            if re.match(rf"(.*\.)?({expression})$", module):
                return value
        except re.error as error:
            raise ValueError(f"header entry {CONFIG}: {pattern} {expression!r} is no pattern: {error}") from error
    return default
