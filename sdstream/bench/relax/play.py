"""Learners at play on a table of prices, and the paper's comparators."""

import time
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np

from sdstream.bench.relax.instances import PriceTable
from sdstream.bench.relax.tsallis import BinnedTsallisINF, TsallisINF
from sdstream.relax.chebcb import ChebCB
from sdstream.relax.learner import Choice

C = TypeVar("C", bound=Choice)

TAIL = 1000
"""Number of last rounds, for judging a learner after the learning."""


class Learner(Protocol[C]):
    """A player: Tsallis-INF, binned Tsallis-INF, ChebCB."""

    def choose(self, context: float) -> C:
        """Draw an arm for an instance with this context; a learner without contexts ignores the context."""

    def learn(self, choice: C, cost: float) -> None:
        """Learn the cost (iterations) of an earlier choice. Raises RefusedCost."""


@dataclass(frozen=True)
class Result:
    """A policy on a sequence of instances."""

    name: str
    costs: np.ndarray
    """Iterations, (T,)."""
    seconds_per_round: float
    """The learner's CPU time, median over rounds; 0 for a policy without learning."""

    @property
    def average(self) -> float:
        """Average iterations per instance."""
        return float(self.costs.mean())

    @property
    def tail(self) -> float:
        """Average iterations per instance over the last 1000."""
        return float(self.costs[-TAIL:].mean())


def play(name: str, learner: Learner[Any], table: PriceTable) -> Result:
    """Let the learner play all rounds of the table (`Any`: the type of choice differs from learner to learner)."""
    rounds = len(table.contexts)
    costs, clock = np.zeros(rounds), np.zeros(rounds)
    for t, context in enumerate(table.contexts):
        begin = time.thread_time()
        choice = learner.choose(float(context))
        middle = time.thread_time()
        costs[t] = table.costs[t, choice.arm]
        resume = time.thread_time()
        learner.learn(choice, float(costs[t]))
        clock[t] = time.thread_time() - resume + middle - begin
    return Result(name, costs, float(np.median(clock)))


def learners(table: PriceTable, seed: int) -> dict[str, Learner[Any]]:
    """Return fresh learners by name, with the paper's settings: 5 bins, 6 Chebyshev terms."""
    low, high = table.interval
    rngs = [np.random.default_rng([seed, k]) for k in range(8)]
    bins = [TsallisINF(table.grid, rng) for rng in rngs[3:]]
    return {
        "Tsallis-INF": TsallisINF(table.grid, rngs[0]),
        "Tsallis-INF (reduced variance)": TsallisINF(table.grid, rngs[1], "reduced-variance"),
        "Tsallis-INF, 5 bins": BinnedTsallisINF(bins, low, high),
        "ChebCB": ChebCB(table.grid, 6, low, high, rngs[2]),
    }


def comparators(table: PriceTable, fixed: tuple[float, ...]) -> list[Result]:
    """Return the omegas `fixed`, the best fixed omega in hindsight, each instance's best arm, and `table.extra`."""
    arms = [int(np.argmin(np.abs(table.grid - omega))) for omega in fixed]
    best = int(np.argmin(table.costs.mean(axis=0)))
    named = [(f"w = {table.grid[arm]:.2f}", table.costs[:, arm]) for arm in arms]
    named.append((f"best fixed w ({table.grid[best]:.2f})", table.costs[:, best]))
    named.append(("instance-optimal (grid)", table.costs.min(axis=1)))
    named += list(table.extra.items())
    return [Result(name, costs.astype(np.float64), 0.0) for name, costs in named]
