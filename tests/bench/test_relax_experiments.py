"""The omega experiments: prices of an omega, comparators, and the command."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from sdstream.bench.relax.experiments import FULL, shifts
from sdstream.bench.relax.figures import draw_figures
from sdstream.bench.relax.instances import PriceTable, heat_equation, shifted_laplacians
from sdstream.bench.relax.play import comparators, learners, play
from tests.relax.matrices import dirichlet
from tests.relax.reference_solvers import Stop, ssor_cg


def silent(share: float) -> None:
    assert 0.0 <= share <= 1.0


def bump(points: np.ndarray, centre: tuple[float, float], radius: float) -> np.ndarray:
    out = np.zeros(len(points))
    for k, (x, y) in enumerate(points):
        squared = ((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / radius**2
        out[k] = math.exp(-1.0 / (1.0 - squared)) if squared < 1.0 else 0.0
    return out


def test_heat_prices_equal_a_plain_crank_nicolson_run_with_plain_ssor_cg() -> None:
    cells, rounds, grid = 8, 40, np.array([1.0, 1.4, 1.8])
    table = heat_equation(cells, rounds, grid, silent)
    h, dt, side = 1.0 / cells, 5.0 / rounds, cells - 1
    laplacian = -dirichlet(side, 0.0) / h**2
    points = np.array([(i * h, j * h) for i in range(1, cells) for j in range(1, cells)])

    def force(t: float) -> np.ndarray:
        turn = 16.0 * math.pi * t
        return 32.0 * bump(points, (0.5 + 0.25 * math.cos(turn), 0.5 + 0.25 * math.sin(turn)), 0.125)

    def kappa(t: float) -> float:
        return max(0.1 * math.sin(2.0 * math.pi * t), -10.0 * math.sin(2.0 * math.pi * t))

    u, one = bump(points, (0.5, 0.5), 0.25), np.eye(side * side)
    for k in range(rounds):
        before, after = k * dt, (k + 1) * dt
        a = one - 0.5 * dt * kappa(after) * laplacian
        b = u + 0.5 * dt * (kappa(before) * laplacian @ u + force(before) + force(after))
        counts = [ssor_cg(a, b, float(omega), Stop(eps=1e-8), x0=u).iterations for omega in grid]
        assert table.contexts[k] == pytest.approx(kappa(after))
        assert (
            np.abs(table.costs[k] - counts).max() <= 1
        )  # a residual may graze the goal: the fields differ by rounding
        u = np.linalg.solve(a, b)


def test_the_closed_form_and_the_grid_agree_about_where_the_cheap_omegas_are() -> None:
    table = shifted_laplacians("low", 64, np.linspace(1.0, 1.95, 20), 0, silent)
    closed = table.extra["closed form w*(c)"]
    assert closed.mean() <= table.costs.min(axis=1).mean() * 1.05
    assert ((table.contexts >= -0.15) & (table.contexts <= 0.45)).all()


def test_prices_are_those_of_the_seed() -> None:
    grid = np.array([1.2, 1.6])
    first, again, other = (shifted_laplacians("high", 16, grid, seed, silent).costs for seed in (3, 3, 4))
    assert (first == again).all()
    assert (first != other).any()


def valley(rounds: int) -> PriceTable:
    rng = np.random.default_rng(0)
    contexts, arms = rng.uniform(0.0, 1.0, rounds), np.arange(10)
    costs = np.rint(20.0 + 4.0 * np.abs(arms[None, :] - 9.0 * contexts[:, None])).astype(np.int64)
    return PriceTable(np.linspace(1.0, 1.9, 10), contexts, (0.0, 1.0), costs, {"other": costs[:, 0]})


def test_comparators_order_themselves_as_they_must() -> None:
    table = valley(500)
    by_name = {result.name: result.average for result in comparators(table, (1.0, 1.9))}
    assert list(by_name) == ["w = 1.00", "w = 1.90", "best fixed w (1.50)", "instance-optimal (grid)", "other"]
    assert by_name["instance-optimal (grid)"] < by_name["best fixed w (1.50)"] < by_name["w = 1.00"]


@pytest.mark.parametrize("name", ["Tsallis-INF, 5 bins", "ChebCB"])
def test_a_contextual_learner_beats_the_best_fixed_omega_when_the_context_tells(name: str) -> None:
    table = valley(6000)
    best = min(table.costs.mean(axis=0))
    assert play(name, learners(table, 0)[name], table).tail < best


def test_an_experiment_reports_every_policy_and_holds_short_runs_to_no_bar(tmp_path: Path) -> None:
    assert FULL > 40
    experiment = shifts("high", 40, [0, 1], silent)
    assert [row.name for row in experiment.rows][-4:] == list(learners(valley(1), 0))
    assert all(1.0 <= row.average < 2000.0 for row in experiment.rows)
    assert experiment.bars == []
    draw_figures([experiment], tmp_path / "figure.svg")
    assert "ChebCB" in (tmp_path / "figure.svg").read_text() or (tmp_path / "figure.svg").stat().st_size > 10_000


def test_the_command_prints_json_that_machines_can_read(monkeypatch, capsys) -> None:
    from sdstream.cli import bench_relax

    monkeypatch.setattr("sdstream.bench.relax.experiments.FULL", 10**9)
    bench_relax.relax(rounds=30, seeds=1, heat="4", plot=None, as_json=True)
    low, high, heat = json.loads(capsys.readouterr().out)["experiments"]
    assert (low["rounds"], high["trials"], heat["title"]) == (30, 1, "heat equation, n_x = 4")
    assert low["rows"][0]["error"] is None
    bench_relax.relax(rounds=30, seeds=2, heat="", plot=None, as_json=False)
    assert "ChebCB" in capsys.readouterr().out
