"""The paper's experiments from end to end: instances, players, averages over seeds, and the bars for the averages."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from sdstream.bench.relax.grids import omega_grid
from sdstream.bench.relax.instances import PriceTable, Progress, heat_equation, shifted_laplacians
from sdstream.bench.relax.play import Result, comparators, learners, play

ARMS = omega_grid(1.0, 1.95, 20)
Variance = Literal["low", "high"]

FULL = 5000
"""The paper's T. Only experiments of this length or more have bars: in a shorter experiment the learners still learn.
"""

LARGEST_AVERAGE: dict[str, dict[str, float]] = {
    "low": {"Tsallis-INF": 69.0, "ChebCB": 50.5},
    "high": {"Tsallis-INF": 124.0, "ChebCB": 70.0},
}
"""Upper limit of the iterations per instance at T = 5000 for a correct implementation, with a margin."""

LARGEST_TAIL = 1.08
"""Largest ratio of iterations over the last 1000 rounds: Tsallis-INF to the best fixed omega, ChebCB to the best arm of
every instance."""

LARGEST_HEAT = 1.05
"""Largest ratio of ChebCB's iterations to the best arm of every instance of the heat equation."""

LEARNER_SECONDS = 200e-6
"""Largest CPU time of a learner in a round."""


@dataclass(frozen=True)
class ResultRow:
    """A policy, averaged over the trials; all in iterations per instance."""

    name: str
    first: float
    """Average over the first 300 rounds."""
    average: float
    """Average over all rounds."""
    error: float
    """Standard error of `average` over the trials; NaN for a single trial."""
    tail: float
    """Average over the last 1000 rounds."""
    seconds: float
    """The learner's CPU time a round, median; 0 for a policy without learning."""


@dataclass(frozen=True)
class Bar:
    """An upper limit of a measured value, and the value."""

    what: str
    value: float
    limit: float

    @property
    def met(self) -> bool:
        """Whether the value is at most the limit."""
        return self.value <= self.limit


@dataclass(frozen=True)
class Experiment:
    """The outcome of an experiment."""

    title: str
    rounds: int
    trials: int
    rows: list[ResultRow]
    bars: list[Bar]
    curves: dict[str, np.ndarray]
    """Name -> running average of the iterations, (T,), mean over trials: the paper's plots."""


def shifts(variance: Variance, rounds: int, seeds: list[int], progress: Progress) -> Experiment:
    """Play on diagonally shifted Laplacians (section 2.4, appendix G, figures 1 and 3)."""
    results = _trials(
        [
            lambda report, seed=seed: shifted_laplacians(variance, rounds, ARMS, seed, report)  # type: ignore[misc]
            for seed in seeds
        ],
        seeds,
        (1.0, 1.2, 1.4, 1.6, 1.8),
        progress,
    )
    rows = _rows(results)
    best, instance = _row(rows, "best fixed w"), _row(rows, "instance-optimal")
    limits = LARGEST_AVERAGE[variance]
    bars = [Bar(f"{name}, average", _row(rows, name).average, limit) for name, limit in limits.items()]
    bars += [
        Bar("Tsallis-INF / best fixed w, last 1000", _row(rows, "Tsallis-INF").tail / best.tail, LARGEST_TAIL),
        Bar("ChebCB / instance-optimal, last 1000", _row(rows, "ChebCB").tail / instance.tail, LARGEST_TAIL),
    ]
    return _experiment(f"shifted Laplacians, {variance} variance", results, rows, bars if rounds >= FULL else [])


def heat(cells: int, rounds: int, seeds: list[int], progress: Progress) -> Experiment:
    """Play on the 2-D heat equation solved by SSOR-CG (section 2.5, appendix G, figures 2 and 4).

    The instances have no randomness: the table is computed once, and the seeds are for the learners.
    """
    table = heat_equation(cells, rounds, ARMS, progress)
    results = _trials([lambda _: table] * len(seeds), seeds, (1.0, 1.5), lambda _: None)
    rows = _rows(results)
    cheb = _row(rows, "ChebCB").average
    bars = [
        Bar("ChebCB / best fixed w", cheb / _row(rows, "best fixed w").average, 1.0),
        Bar("ChebCB / instance-optimal", cheb / _row(rows, "instance-optimal").average, LARGEST_HEAT),
    ]
    return _experiment(f"heat equation, n_x = {cells}", results, rows, bars if rounds >= FULL else [])


def _trials(
    tables: list[Callable[[Progress], PriceTable]], seeds: list[int], fixed: tuple[float, ...], progress: Progress
) -> list[list[Result]]:
    trials = []
    for k, (make, seed) in enumerate(zip(tables, seeds, strict=True)):
        table = make(lambda share, k=k: progress((k + share) / len(seeds)))  # type: ignore[misc]
        played = [play(name, learner, table) for name, learner in learners(table, seed).items()]
        trials.append(comparators(table, fixed) + played)
    return trials


def _rows(trials: list[list[Result]]) -> list[ResultRow]:
    rows = []
    for same in zip(*trials, strict=True):
        averages = np.array([result.average for result in same])
        spread = float(averages.std(ddof=1) / np.sqrt(len(same))) if len(same) > 1 else float("nan")
        rows.append(
            ResultRow(
                name=same[0].name,
                first=float(np.mean([result.costs[:300].mean() for result in same])),
                average=float(averages.mean()),
                error=spread,
                tail=float(np.mean([result.tail for result in same])),
                seconds=float(np.median([result.seconds_per_round for result in same])),
            )
        )
    return rows


def _row(rows: list[ResultRow], start: str) -> ResultRow:
    """Return the row with the name `start`, or the first row whose name begins with `start`."""
    exact = [row for row in rows if row.name == start]
    return (exact or [row for row in rows if row.name.startswith(start)])[0]


def _experiment(title: str, trials: list[list[Result]], rows: list[ResultRow], bars: list[Bar]) -> Experiment:
    rounds = np.arange(1, len(trials[0][0].costs) + 1)
    if len(rounds) >= FULL:  # some tens of rounds are too short for a measurement of time
        slowest = max(row.seconds for row in rows)
        bars = [*bars, Bar("slowest learner, microseconds a round", slowest * 1e6, LEARNER_SECONDS * 1e6)]
    curves = {
        same[0].name: np.mean([result.costs.cumsum() / rounds for result in same], axis=0)
        for same in zip(*trials, strict=True)
    }
    return Experiment(title, len(rounds), len(trials), rows, bars, curves)
