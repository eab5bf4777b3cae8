"""Times the parts of an engine at work, waiting for the device at every border."""

import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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

    def warm_up(self) -> None:
        """Come to the state that is to be timed: loaded, and the frames in flight all there."""
        ...

    def prepare(self) -> None:
        """Get ready for one call, untimed."""
        ...

    def __call__(self) -> object:
        """Do the work once."""
        ...


@dataclass(frozen=True)
class Laps:
    """What each variant's calls took, in seconds; the calls of one lap were made side by side."""

    taken: Mapping[str, Sequence[float]]

    def seconds(self, name: str) -> float:
        """Return the median call of a variant."""
        return statistics.median(self.taken[name])

    def ratio(self, name: str, other: str) -> float:
        """Return how many times as long `name` takes as `other`: the median of the laps' own ratios.

        A moment in which the machine is busy slows both calls of a lap, and leaves their ratio alone.
        """
        return statistics.median(a / b for a, b in zip(self.taken[name], self.taken[other], strict=True))


LEAST_LAPS = 3


def in_turn(variants: Mapping[str, Variant], device: torch.device, *, laps: int, limit: float) -> Laps:
    """Time the variants call by call, in turn; every other lap goes backwards, so that none is always the first.

    Ends after `laps` laps, or after the first that is over `limit` seconds, but not before the third.
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
