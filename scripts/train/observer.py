"""Notes between which numbers the inputs of a module's convolutions lie: what int8 needs to know of a model."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from sdstream.engine.weights.activation_ranges import convolutions


class Observer:
    """Notes the ranges of a module's 3x3 convolutions, which take the time; `but` are the names of others to leave."""

    def __init__(self, module: nn.Module, but: tuple[str, ...] = ()) -> None:
        self.ranges: dict[str, tuple[float, float]] = {}
        """Of the convolutions whose input was not all zero."""
        self._parts = {
            name: part for name, part in convolutions(module).items() if part.kernel_size == (3, 3) and name not in but
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
