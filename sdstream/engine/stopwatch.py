"""Times the parts of an engine at work, waiting for the device at every border."""

import statistics
import time
from collections.abc import Mapping
from typing import Any, Protocol

import torch


class Stopwatch:
    """Wraps callables, and adds up the seconds spent in each by name."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self.seconds: dict[str, float] = {}

    def now(self) -> float:
        """Return seconds, once the device has done all it was given."""
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        return time.perf_counter()

    def wrap(self, owner: Any, attribute: str, name: str) -> None:  # any object: an attribute of it is replaced
        """Count the calls of `owner.attribute` under `name`."""
        inner = getattr(owner, attribute)  # a method chosen by the caller

        def timed(*args: Any, **kwargs: Any) -> Any:
            began = self.now()
            try:
                return inner(*args, **kwargs)
            finally:
                self.seconds[name] = self.seconds.get(name, 0.0) + self.now() - began

        setattr(owner, attribute, timed)


class Variant(Protocol):
    """Something to be timed."""

    def prepare(self) -> None:
        """Get ready for a row of calls, untimed."""
        ...

    def __call__(self) -> object:
        """Do the work once."""
        ...


def in_turn(
    variants: Mapping[str, Variant], device: torch.device, *, rounds: int, calls: int, warm_up: int = 3
) -> dict[str, float]:
    """Return the median seconds a call of each variant.

    They take turns, `calls` in a row each, `rounds` times, so that a busy machine is busy for all of them.
    """
    watch = Stopwatch(device)
    for variant in variants.values():
        variant.prepare()
        for _ in range(warm_up):
            variant()
    taken: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(rounds):
        for name, variant in variants.items():
            variant.prepare()
            began = watch.now()
            for _ in range(calls):
                variant()
            taken[name].append((watch.now() - began) / calls)
    return {name: statistics.median(times) for name, times in taken.items()}
