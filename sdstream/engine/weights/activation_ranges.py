"""Between which numbers the inputs of a model's convolutions lie, as its maker measured them: what int8 must know."""

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from sdstream.engine.weights.files import read_config
from sdstream.errors import Unavailable

FILE = "activation_ranges.json"
"""In a model's folder: {"unet": {"name of a convolution": [lowest, highest], …}, "vae": {…}}."""

Ranges = Mapping[str, tuple[float, float]]
"""Lowest and highest input of each convolution that may be rounded, by its name in the module; others may not."""


@dataclass(frozen=True)
class ModelRanges:
    """Those of both networks."""

    unet: Ranges
    autoencoder: Ranges

    def text(self) -> str:
        """Write them out as JSON, as `FILE` has it."""
        return json.dumps({"unet": self.unet, "vae": self.autoencoder}, indent=1)


def read_ranges(folder: Path, unet: nn.Module, autoencoder: nn.Module | None) -> ModelRanges | None:
    """Return what `folder` says of the two, or None; without its own autoencoder only of the U-Net.

    Raises Unavailable for a file that says what cannot be.
    """
    file = folder / FILE
    if not file.is_file():
        return None
    told = read_config(file, "activation ranges")
    return ModelRanges(
        _checked(told.get("unet"), unet, f"{file}: unet"),
        {} if autoencoder is None else _checked(told.get("vae"), autoencoder, f"{file}: vae"),
    )


def _checked(told: Any, module: nn.Module, where: str) -> Ranges:  # JSON
    if not isinstance(told, dict):
        raise Unavailable(f"{where}: expected an object of ranges by the names of convolutions")
    convolutions = _convolutions(module)
    for name, ends in told.items():
        if name not in convolutions:
            raise Unavailable(f"{where}: the model has no convolution {name!r}; pull or copy it again")
        if not _is_range(ends):
            raise Unavailable(f"{where}: {name}: expected [lowest, highest] around 0, not {ends!r}")
    return {name: (float(low), float(high)) for name, (low, high) in told.items()}


def _is_range(ends: Any) -> bool:  # JSON
    if not isinstance(ends, list) or len(ends) != 2:
        return False
    if not all(isinstance(end, int | float) and math.isfinite(end) for end in ends):
        return False
    return bool(ends[0] <= 0 <= ends[1] and ends[0] < ends[1])  # nothing must stay nothing: padding is


def _convolutions(module: nn.Module) -> dict[str, nn.Conv2d]:
    return {name: part for name, part in module.named_modules() if isinstance(part, nn.Conv2d)}


class Observer:
    """Notes the ranges of a module's 3x3 convolutions, which take the time; `but` are the names of others to leave."""

    def __init__(self, module: nn.Module, but: tuple[str, ...] = ()) -> None:
        self.ranges: dict[str, tuple[float, float]] = {}
        """Of those that saw anything but nothing."""
        self._parts = {
            name: part for name, part in _convolutions(module).items() if part.kernel_size == (3, 3) and name not in but
        }

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Note what goes in while this lasts."""
        handles = [part.register_forward_pre_hook(self._note(name)) for name, part in self._parts.items()]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _note(self, name: str) -> Any:  # torch's type for it says no more
        def note(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            low, high = self.ranges.get(name, (0.0, 0.0))
            x = inputs[0].detach()
            low, high = min(low, float(x.min())), max(high, float(x.max()))
            if low < high:
                self.ranges[name] = low, high

        return note
