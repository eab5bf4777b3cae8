"""The learners of omega: probabilities, learning from late and absurd costs, and state on disk."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import lsq_linear

from sdstream.bench.relax.tsallis import BinnedTsallisINF, TsallisINF, tsallis_probabilities
from sdstream.errors import ConfigError
from sdstream.relax import state as states
from sdstream.relax.box_least_squares import box_least_squares
from sdstream.relax.chebcb import ChebCB
from sdstream.relax.learner import RefusedCost, draw

GRID = np.linspace(1.0, 1.95, 8)


def tsallis(seed: int, estimator: Any = "importance") -> TsallisINF:
    return TsallisINF(GRID, np.random.default_rng(seed), estimator)


def reduced(seed: int) -> TsallisINF:
    return tsallis(seed, "reduced-variance")


def binned(seed: int) -> BinnedTsallisINF:
    return BinnedTsallisINF([tsallis(seed), reduced(seed + 1)], -1.0, 1.0)


def cheb(seed: int) -> ChebCB:
    return ChebCB(GRID, 4, -1.0, 1.0, np.random.default_rng(seed))


EVERY = pytest.mark.parametrize("make", [tsallis, reduced, binned, cheb])


def cost_of(arm: int, context: float) -> float:
    """A valley whose floor moves with the context from the second arm to the sixth."""
    return 10.0 + 6.0 * abs(arm - (4.0 + 2.0 * context))


def play(learner: Any, rounds: int, context: float, true_context: float) -> list[int]:
    """Let a learner choose and learn, and return its arms; the costs are those of `true_context`."""
    arms = []
    for _ in range(rounds):
        choice = learner.choose(context)
        learner.learn(choice, cost_of(choice.arm, true_context))
        arms.append(choice.arm)
    return arms


@given(st.lists(st.floats(0.0, 1e6), min_size=1, max_size=30), st.floats(1e-4, 4.0))
def test_tsallis_probabilities_solve_their_own_equation(losses: list[float], eta: float) -> None:
    p = tsallis_probabilities(np.array(losses), eta)
    assert p.sum() == pytest.approx(1.0, abs=1e-12)
    x = np.array(losses) - 2.0 / (eta * np.sqrt(p))  # from p = 4 / (eta (l - x))^2: one normaliser for all
    assert np.ptp(x) <= 1e-6 * (1.0 + np.abs(x).max())


@pytest.mark.slow
@pytest.mark.parametrize("make", [tsallis, reduced])
def test_probabilities_sum_to_one_for_a_hundred_thousand_rounds(make) -> None:
    learner, worst = make(0), 0.0
    for _ in range(100_000):
        choice = learner.choose()
        worst = max(worst, abs(float(choice.probabilities.sum()) - 1.0))
        learner.learn(choice, cost_of(choice.arm, 0.0))
    assert worst < 1e-9
    assert choice.probabilities[4] > 0.9


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.integers(0, 99_999))
def test_probabilities_are_a_distribution_at_any_round(seed: int, rounds: int) -> None:
    rng = np.random.default_rng(seed)
    losses = rng.exponential(size=8) * rounds
    p = tsallis_probabilities(losses, 2.0 / math.sqrt(rounds + 1))
    assert p.sum() == pytest.approx(1.0, abs=1e-12)
    assert (p > 0.0).all()


@pytest.mark.parametrize("make", [tsallis, reduced])
def test_the_loss_estimate_is_unbiased(make) -> None:
    """One learned round, averaged over the arm's draw by its probabilities, adds each arm's true loss."""
    costs = 10.0 + np.arange(8.0) ** 2
    before, mean = make(3), np.zeros(8)
    for arm in range(8):
        learner = make(3)
        learner.learn(learner.choose(), 20.0)  # so that K is set and p is not uniform
        snapshot = learner.state()
        choice = learner.choose()
        forced = type(choice)(arm, float(GRID[arm]), choice.probabilities, eta=choice.eta)
        learner.learn(forced, float(costs[arm]))
        after = learner.state()
        p = choice.probabilities[arm]
        sums = np.subtract(after["sums"], snapshot["sums"])
        baseline = np.subtract(after["baseline"], snapshot["baseline"])
        mean += p * (sums + 1e6 * baseline)  # the baseline must vanish on its own
    assert before.state()["rounds"] == 0
    np.testing.assert_allclose(mean, costs - 1.0, atol=1e-6)


@EVERY
def test_every_learner_finds_the_cheap_arm(make) -> None:
    arms = play(make(1), 3000, 0.25, 0.0)
    costs = [cost_of(arm, 0.0) for arm in arms[-500:]]
    assert np.mean(costs) < 0.6 * np.mean([cost_of(arm, 0.0) for arm in range(8)])


@EVERY
@pytest.mark.parametrize("delay", [1, 7])
def test_feedback_that_comes_late_still_teaches(make, delay: int) -> None:
    learner, pending, costs = make(2), [], []
    for _ in range(3000):
        choice = learner.choose(0.25)
        pending.append(choice)
        costs.append(cost_of(choice.arm, 0.0))
        if len(pending) > delay:
            oldest = pending.pop(0)
            learner.learn(oldest, cost_of(oldest.arm, 0.0))
    assert np.mean(costs[-500:]) < 0.6 * np.mean([cost_of(arm, 0.0) for arm in range(8)])


def test_chebcb_follows_the_context_where_no_fixed_arm_can() -> None:
    rng, learner, costs, contexts = np.random.default_rng(4), cheb(4), [], []
    for context in rng.uniform(-1.0, 1.0, 2000):
        choice = learner.choose(float(context))
        costs.append(cost_of(choice.arm, float(context)))
        contexts.append(float(context))
        learner.learn(choice, costs[-1])
    best_fixed = min(np.mean([cost_of(arm, c) for c in contexts[-500:]]) for arm in range(8))
    assert np.mean(costs[-500:]) < best_fixed


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.floats(-2, 2), st.floats(1, 1e5)), min_size=1, max_size=60), st.integers(0, 99))
def test_theta_stays_in_its_box_whatever_the_costs(rounds: list[tuple[float, float]], seed: int) -> None:
    learner = cheb(seed)
    n = 2.0 + 4.0 * (1.0 + math.log(4))
    box = np.array([1.0, 2.0, 1.0, 2.0 / 3.0]) / n
    for context, cost in rounds:
        choice = learner.choose(context)
        assert choice.probabilities.sum() == pytest.approx(1.0, abs=1e-9)
        assert (choice.probabilities > -1e-12).all()
        learner.learn(choice, cost)
        assert (np.abs(learner.theta) <= box * (1.0 + 1e-12)).all()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 6), st.integers(8, 30))
def test_box_least_squares_agrees_with_a_general_solver(seed: int, m: int, observations: int) -> None:
    rng = np.random.default_rng(seed)
    features, values = rng.standard_normal((observations, m)), 3.0 * rng.standard_normal(observations)
    limit = rng.uniform(0.05, 0.5, m)
    start = np.clip(rng.standard_normal(m), -limit, limit)
    ours = box_least_squares(features.T @ features, features.T @ values, limit, start)
    theirs = lsq_linear(features, values, (-limit, limit), tol=1e-14).x
    assert np.linalg.norm(features @ ours - values) <= np.linalg.norm(features @ theirs - values) + 1e-6
    assert (np.abs(ours) <= limit).all()


@EVERY
@pytest.mark.parametrize("cost", [math.nan, math.inf, -math.inf, 0.0, -3.0, 1e7])
def test_an_absurd_cost_is_refused_and_changes_nothing(make, cost: float) -> None:
    learner = make(5)
    choice = learner.choose(0.0)
    before = learner.state()
    with pytest.raises(RefusedCost, match="refused"):
        learner.learn(choice, cost)
    assert learner.state() == before


@EVERY
def test_a_restored_learner_goes_on_as_if_nothing_had_happened(make, tmp_path: Path) -> None:
    first, second = make(6), make(99)
    play(first, 50, 0.1, 0.1)
    states.save(tmp_path / "learner.json", "test", first.state())
    second.restore(states.load(tmp_path / "learner.json", "test"))
    assert play(first, 50, -0.3, -0.3) == play(second, 50, -0.3, -0.3)


@pytest.mark.parametrize(
    ("make", "key"),
    [
        *((make, key) for make in (tsallis, reduced) for key in ("grid", "estimator", "sums", "baseline", "rng")),
        *((binned, key) for key in ("low", "bins")),
        *((cheb, key) for key in ("grid", "interval", "gram", "moment", "theta", "errors", "rng")),
    ],
)
@pytest.mark.parametrize("damage", ["damaged", None, [math.nan]])
def test_a_damaged_state_is_refused(make, key: str, damage: object) -> None:
    learner = make(7)
    before = learner.state()
    with pytest.raises(ConfigError, match="learner state"):
        learner.restore({**before, key: damage})
    assert learner.state() == before


def test_a_state_learned_on_another_grid_is_refused() -> None:
    other = ChebCB(GRID + 0.01, 4, -1.0, 1.0, np.random.default_rng(0))
    with pytest.raises(ConfigError, match="grid"):
        cheb(0).restore(other.state())


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 1, "kind": "other", "state": {}}'])
def test_a_file_that_is_not_a_state_of_ours_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "learner.json").write_text(text)
    with pytest.raises(ConfigError, match="delete the file"):
        states.load(tmp_path / "learner.json", "test")


def test_saving_replaces_the_file_whole_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "learner.json"
    states.save(path, "test", {"a": 1})
    with pytest.raises(ValueError, match="JSON"):
        states.save(path, "test", {"a": math.nan})
    assert states.load(path, "test") == {"a": 1}
    assert [entry.name for entry in tmp_path.iterdir()] == ["learner.json"]


def test_without_exploration_the_best_arm_is_played() -> None:
    learner = cheb(8)
    learner.prime(0.0, np.array([9.0, 8.0, 7.0, 3.0, 7.0, 8.0, 9.0, 10.0]))
    assert {learner.choose(0.0, explore=False).arm for _ in range(20)} == {3}


def test_drawing_survives_a_sum_a_rounding_error_below_one() -> None:
    class Last:
        def random(self) -> float:
            return 1.0 - 1e-17

    assert draw(np.array([0.5, 0.5 - 1e-9]), Last()) == 1
