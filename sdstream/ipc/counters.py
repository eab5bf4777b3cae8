"""Counters and latency histograms in shared memory: a stage writes, the supervisor reads, a crash loses nothing."""

import math
from collections.abc import Iterable
from multiprocessing.sharedctypes import RawArray
from typing import Any


class Counters:
    """A fixed set of named numbers (counts, seconds, states). A single writer; any process may read."""

    def __init__(self, names: Iterable[str]) -> None:
        """All numbers start at 0."""
        self._index = {name: i for i, name in enumerate(names)}
        self._values: Any = RawArray("d", len(self._index))  # ctypes arrays have no static type

    def add(self, name: str, amount: float = 1) -> None:
        """Add to a number. Raises KeyError for an undeclared name."""
        self._values[self._index[name]] += amount

    def set(self, name: str, value: float) -> None:
        """Set a number. Raises KeyError for an undeclared name."""
        self._values[self._index[name]] = value

    def get(self, name: str) -> float:
        """Return a number. Raises KeyError for an undeclared name."""
        return float(self._values[self._index[name]])

    def count(self, name: str) -> int:
        """Return a number as an integer, for counts and states."""
        return int(self.get(name))

    def as_dict(self) -> dict[str, float]:
        """Return all numbers by name, read at about the same moment."""
        return {name: float(self._values[i]) for name, i in self._index.items()}


class Histogram:
    """Durations in logarithmic bins from 0.1 ms to 100 s; a percentile is right to within 3 %."""

    LOWEST = 1e-4
    PER_DECADE = 40
    BINS = 6 * PER_DECADE + 2

    def __init__(self) -> None:
        """Start empty."""
        self._bins: Any = RawArray("Q", self.BINS)

    def record(self, seconds: float) -> None:
        """Count a duration; a duration below the lowest bin or above the highest counts in the nearest bin."""
        if seconds <= self.LOWEST:
            index = 0
        else:
            index = min(self.BINS - 1, 1 + int(math.log10(seconds / self.LOWEST) * self.PER_DECADE))
        self._bins[index] += 1

    def total(self) -> int:
        """Return how many durations were recorded."""
        return sum(self._bins)

    def percentile(self, percent: float) -> float | None:
        """Return the duration (seconds) that `percent` (0-100) of all durations do not exceed; None when empty."""
        total = self.total()
        if not total:
            return None
        wanted, seen = percent / 100 * total, 0
        for index, amount in enumerate(self._bins):
            seen += amount
            if seen >= wanted and amount:
                return self.LOWEST * 10 ** ((index - 0.5) / self.PER_DECADE) if index else self.LOWEST
        return None

    def summary(self) -> dict[str, float | None]:
        """Return p50, p95 and p99 in seconds."""
        return {f"p{percent}": self.percentile(percent) for percent in (50, 95, 99)}
