"""Measures the parts of a running engine, and waits for the device before and after each part."""

import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch


class Stopwatch:
    """Wraps callables, and adds up the seconds of each by name."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self.seconds: dict[str, float] = {}

    def now(self) -> float:
        """Return the time in seconds, after the device has finished all work."""
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        return time.perf_counter()

    def wrap(self, owner: Any, attribute: str, name: str) -> None:  # any object with the attribute
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
    """A piece of work for a comparison."""

    def warm_up(self) -> None:
        """Reach the steady state: models loaded, and all frames in flight."""
        ...

    def prepare(self) -> None:
        """Prepare a call, outside of the measured time."""
        ...

    def __call__(self) -> object:
        """Do the work once."""
        ...


@dataclass(frozen=True)
class Laps:
    """The seconds of each variant's calls. A lap is a call of every variant, in a row."""

    taken: Mapping[str, Sequence[float]]

    def seconds(self, name: str) -> float:
        """Return the median call of a variant."""
        return statistics.median(self.taken[name])

    def ratio(self, name: str, other: str) -> float:
        """Return how many times as long `name` takes as `other`: the median of the laps' own ratios.

        A busy moment of the machine slows both calls of a lap, and hardly changes the ratio.
        """
        return statistics.median(a / b for a, b in zip(self.taken[name], self.taken[other], strict=True))


LEAST_LAPS = 3
"""Laps made in any case."""


def in_turn(variants: Mapping[str, Variant], device: torch.device, *, laps: int, limit: float) -> Laps:
    """Measure the variants call by call, in turn. Every second lap runs in reverse order, for fairness.

    Ends after `laps` laps, or after the first lap beyond `limit` seconds, but not before LEAST_LAPS laps.
    """
    watch = Stopwatch(device)
    for variant in variants.values():
        variant.prepare()
        variant.warm_up()
    taken: dict[str, list[float]] = {name: [] for name in variants}
    started = watch.now()
    for lap in range(max(laps, LEAST_LAPS)):
        for name in list(variants)[:: 1 if lap % 2 == 0 else -1]:
            variants[name].prepare()
            began = watch.now()
            variants[name]()
            taken[name].append(watch.now() - began)
        if lap + 1 >= LEAST_LAPS and watch.now() - started > limit:
            break
    return Laps(taken)
