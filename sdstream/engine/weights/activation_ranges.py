"""Activation ranges: the bounds of each convolution's input, measured by the model's maker and needed for int8."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from sdstream.engine.weights.files import read_config
from sdstream.errors import Unavailable

FILE = "activation_ranges.json"
"""File in a model's folder: {"unet": {"name of a convolution": [lowest, highest], …}, "vae": {…}}."""

Ranges = Mapping[str, tuple[float, float]]
"""Lowest and highest input of each convolution, by the convolution's name in the module. A convolution without range
is never rounded to int8."""


@dataclass(frozen=True)
class ModelRanges:
    """The activation ranges of a model's two networks."""

    unet: Ranges
    autoencoder: Ranges

    def text(self) -> str:
        """Return the ranges as the JSON text of `FILE`."""
        return json.dumps({"unet": self.unet, "vae": self.autoencoder}, indent=1)


def read_ranges(folder: Path, unet: nn.Module, autoencoder: nn.Module | None) -> ModelRanges | None:
    """Return the ranges in `folder`, or None without `FILE`; `autoencoder` None leaves out the autoencoder's ranges.

    Raises Unavailable for a broken file, an unknown convolution and an impossible range.
    """
    file = folder / FILE
    if not file.is_file():
        return None
    config = read_config(file, "activation ranges")
    return ModelRanges(
        _checked(config.get("unet"), unet, f"{file}: unet"),
        {} if autoencoder is None else _checked(config.get("vae"), autoencoder, f"{file}: vae"),
    )


def _checked(ranges: Any, module: nn.Module, where: str) -> Ranges:  # JSON
    if not isinstance(ranges, dict):
        raise Unavailable(f"{where}: expected an object of ranges by the names of convolutions, not {ranges!r:.80}")
    known = convolutions(module)
    for name, bounds in ranges.items():
        if name not in known:
            raise Unavailable(f"{where}: the model has no convolution {name!r}; pull or copy the model again")
        if not _is_range(bounds):
            raise Unavailable(f"{where}: {name}: expected [lowest, highest] around 0, not {bounds!r}")
    return {name: (float(low), float(high)) for name, (low, high) in ranges.items()}


def _is_range(bounds: Any) -> bool:  # JSON
    if not isinstance(bounds, list) or len(bounds) != 2:
        return False
    if not all(isinstance(bound, int | float) and math.isfinite(bound) for bound in bounds):
        return False
    return bool(bounds[0] <= 0 <= bounds[1] and bounds[0] < bounds[1])  # int8 must represent 0 exactly: padding is 0


def convolutions(module: nn.Module) -> dict[str, nn.Conv2d]:
    """Return the convolutions of `module` by name: those that may be rounded."""
    return {name: part for name, part in module.named_modules() if isinstance(part, nn.Conv2d)}
