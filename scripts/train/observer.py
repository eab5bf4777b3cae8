"""Records the input ranges of a module's convolutions, which int8 needs."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from sdstream.engine.weights.activation_ranges import convolutions


class Observer:
    """Records the input ranges of a module's 3x3 convolutions (most of the computing time), except those in `skip`."""

    def __init__(self, module: nn.Module, skip: tuple[str, ...] = ()) -> None:
        self.ranges: dict[str, tuple[float, float]] = {}
        """Lowest and highest input so far, for each convolution with an input other than all zeros."""
        self._parts = {
            name: part for name, part in convolutions(module).items() if part.kernel_size == (3, 3) and name not in skip
        }

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Record the inputs for as long as the block runs."""
        handles = [part.register_forward_pre_hook(self._recorder(name)) for name, part in self._parts.items()]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _recorder(self, name: str) -> Any:  # torch's type for it says no more
        def note(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            low, high = self.ranges.get(name, (0.0, 0.0))
            x = inputs[0].detach()
            low, high = min(low, float(x.min())), max(high, float(x.max()))
            if low < high:
                self.ranges[name] = low, high

        return note
