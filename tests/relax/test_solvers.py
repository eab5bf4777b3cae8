"""The solvers against textbook loops, direct solutions and the papers' bounds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from sdstream.bench.relax.counts import sor_counts, ssor_cg_counts
from sdstream.bench.relax.grids import grid_jacobi_radius
from sdstream.bench.relax.wavefront import Wavefronts
from sdstream.relax.red_black import RedBlack
from sdstream.relax.young import optimal_omega, sor_radius, surrogate_cost
from tests.relax.matrices import dirichlet, screened
from tests.relax.reference_solvers import Stop, sor, ssor, ssor_cg, ssor_preconditioner

SEEDS = st.integers(0, 2**32 - 1)
OMEGAS = st.floats(1.0, 1.9)


def sweeps_by_hand(a: np.ndarray, b: np.ndarray, omega: float, eps: float) -> int:
    """Successive over-relaxation as every textbook writes it: one unknown after the other."""
    x = np.zeros(len(b))
    goal = eps * np.linalg.norm(b)
    count = 0
    while np.linalg.norm(b - a @ x) > goal:
        for i in range(len(b)):
            x[i] += omega * (b[i] - a[i] @ x) / a[i, i]
        count += 1
    return count


@settings(max_examples=15, deadline=None)
@given(SEEDS, st.floats(-0.05, 0.5), OMEGAS)
def test_sor_takes_as_many_iterations_as_the_textbook_loop(seed: int, shift: float, omega: float) -> None:
    a, b = dirichlet(5, shift), np.random.default_rng(seed).standard_normal(25)
    assert sor(a, b, omega).iterations == sweeps_by_hand(a, b, omega, 1e-8)


@settings(max_examples=10, deadline=None)
@given(SEEDS, st.lists(OMEGAS, min_size=1, max_size=5))
def test_batched_counts_equal_those_of_dense_sor(seed: int, omegas: list[float]) -> None:
    rng = np.random.default_rng(seed)
    shifts = rng.uniform(-0.15, 0.45, len(omegas))
    b = rng.standard_normal((100, len(omegas)))
    counts = sor_counts(Wavefronts(10), 4.0 + shifts, b, np.array(omegas), eps=1e-8)
    plain = [sor(dirichlet(10, shifts[k]), b[:, k], omegas[k]).iterations for k in range(len(omegas))]
    assert counts.tolist() == plain


@pytest.mark.parametrize("preconditioned", [True, False])
def test_batched_counts_equal_those_of_plain_conjugate_gradients(preconditioned: bool) -> None:
    rng = np.random.default_rng(1)
    shifts, omegas = rng.uniform(-0.15, 0.45, 12), rng.uniform(1.0, 1.95, 12)
    b = rng.standard_normal((100, 12))
    omega_batch = omegas if preconditioned else None
    counts = ssor_cg_counts(Wavefronts(10), 4.0 + shifts, b, omega_batch, eps=1e-8)
    plain = [
        ssor_cg(dirichlet(10, shifts[k]), b[:, k], float(omegas[k]) if preconditioned else None).iterations
        for k in range(12)
    ]
    assert counts.tolist() == plain


@pytest.mark.parametrize("solve", [sor, ssor, ssor_cg])
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_matrix])
def test_every_solver_finds_the_direct_solution_from_a_cold_and_a_warm_start(solve, form) -> None:
    rng = np.random.default_rng(2)
    a, b, start = dirichlet(6, 0.1), rng.standard_normal(36), rng.standard_normal(36)
    direct = np.linalg.solve(a, b)
    cold, warm = solve(form(a), b, 1.5), solve(form(a), b, 1.5, x0=start)
    assert cold.converged
    assert warm.converged
    np.testing.assert_allclose(cold.x, direct, atol=1e-6)
    np.testing.assert_allclose(warm.x, direct, atol=1e-6)


@pytest.mark.parametrize("solve", [sor, ssor, ssor_cg])
def test_an_absolute_tolerance_is_the_residual_itself_and_a_solved_system_costs_nothing(solve) -> None:
    a, b = dirichlet(6, 0.1), 100.0 * np.random.default_rng(3).standard_normal(36)
    solution = solve(a, b, 1.4, Stop(eps=1e-3, relative=False))
    assert np.linalg.norm(b - a @ solution.x) <= 1.001e-3
    assert solve(a, b, 1.4, Stop(eps=2e-3, relative=False), x0=solution.x).iterations == 0


@pytest.mark.parametrize("solve", [sor, ssor, ssor_cg])
def test_a_solver_says_when_it_ran_out_of_iterations(solve) -> None:
    solution = solve(dirichlet(6, 0.0), np.ones(36), 1.0, Stop(eps=1e-12, limit=2))
    assert not solution.converged
    assert solution.iterations == 2


@pytest.mark.parametrize("omega", [0.0, 2.0, -1.0, float("nan")])
def test_an_omega_with_which_sor_diverges_is_refused(omega: float) -> None:
    with pytest.raises(ValueError, match="omega"):
        sor(np.eye(2), np.ones(2), omega)


def test_the_ssor_preconditioner_is_the_papers_matrix() -> None:
    a, omega = dirichlet(4, 0.2), 1.3
    d, low = np.diag(np.diag(a)), np.tril(a, -1)
    w = omega / (2 - omega) * (d / omega + low) @ np.linalg.inv(d) @ (d / omega + low.T)
    r = np.random.default_rng(4).standard_normal(16)
    np.testing.assert_allclose(ssor_preconditioner(a, omega)(r), np.linalg.solve(w, r), rtol=1e-10)


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.integers(1, 9), st.integers(2, 9), st.integers(1, 3), OMEGAS)
def test_red_black_sor_equals_a_direct_solve(seed, height, width, channels, omega) -> None:
    rng = np.random.default_rng(seed)
    c = rng.uniform(0.05, 1.0, (height, width))
    b, start = rng.standard_normal((2, channels, height, width))
    solver = RedBlack(height, width, channels, np.float64)
    solver.load(c, b, start)
    solver.sweep(omega, 600)
    direct = np.linalg.solve(screened(c), b.reshape(channels, -1).T).T
    np.testing.assert_allclose(solver.x().reshape(channels, -1), direct, atol=1e-8)


@settings(max_examples=20, deadline=None)
@given(SEEDS, OMEGAS)
def test_a_red_black_sweep_is_sor_in_the_red_black_order_of_the_unknowns(seed: int, omega: float) -> None:
    rng = np.random.default_rng(seed)
    c, b, x = rng.uniform(0.05, 1.0, (5, 6)), rng.standard_normal((1, 5, 6)), rng.standard_normal((1, 5, 6))
    order = np.argsort(np.indices((5, 6)).sum(axis=0).ravel() % 2, kind="stable")
    a = screened(c)[np.ix_(order, order)]
    solver = RedBlack(5, 6, 1, np.float64)
    solver.load(c, b, x)
    solver.sweep(omega, 3)
    plain = sor(a, b.ravel()[order], omega, Stop(eps=0.0, limit=3), x0=x.ravel()[order])
    np.testing.assert_allclose(solver.x().ravel()[order], plain.x, atol=1e-12)


def test_omega_one_is_gauss_seidel() -> None:
    a, b = dirichlet(5, 0.1), np.random.default_rng(5).standard_normal(25)
    x = np.zeros(25)
    for _ in range(3):
        for i in range(25):
            x[i] = (b[i] - a[i] @ x + a[i, i] * x[i]) / a[i, i]
    np.testing.assert_allclose(sor(a, b, 1.0, Stop(eps=0.0, limit=3)).x, x, atol=1e-13)


def test_red_black_omega_one_leaves_the_black_equations_solved() -> None:
    rng = np.random.default_rng(6)
    c, b, x = rng.uniform(0.1, 1.0, (6, 7)), rng.standard_normal((1, 6, 7)), rng.standard_normal((1, 6, 7))
    solver = RedBlack(6, 7, 1, np.float64)
    solver.load(c, b, x)
    solver.sweep(1.0, 1)
    residual = (b.ravel() - screened(c) @ solver.x().ravel()).reshape(6, 7)
    black = np.indices((6, 7)).sum(axis=0) % 2 == 1
    np.testing.assert_allclose(residual[black], 0.0, atol=1e-12)


def test_measuring_a_sweep_does_not_change_it_and_measures_the_correction() -> None:
    rng = np.random.default_rng(7)
    c, b, x = rng.uniform(0.1, 1.0, (8, 8)), rng.standard_normal((3, 8, 8)), rng.standard_normal((3, 8, 8))
    together, apart = RedBlack(8, 8, 3, np.float64), RedBlack(8, 8, 3, np.float64)
    together.load(c, b, x)
    apart.load(c, b, x)
    sweeps = together.sweep(1.6, 6)
    apart.sweep(1.6, 5)
    before = apart.x()
    apart.sweep(1.6, 1)
    np.testing.assert_allclose(together.x(), apart.x(), atol=1e-12)
    change = np.sqrt(np.mean((apart.x() - before) ** 2)) / 1.6
    assert sweeps.correction == pytest.approx(change, rel=1e-9)


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 12), st.floats(0.0, 1.0), OMEGAS)
def test_youngs_formula_is_the_spectral_radius_of_the_iteration(side, shift, omega) -> None:
    a = dirichlet(side, shift)
    beta = grid_jacobi_radius(side, shift)
    w = np.diag(np.diag(a)) / omega + np.tril(a, -1)
    radius = np.abs(np.linalg.eigvals(np.eye(side * side) - np.linalg.solve(w, a))).max()
    assert sor_radius(omega, beta) == pytest.approx(radius, abs=2e-3)  # defective at w*: eigenvalues blur
    assert sor_radius(optimal_omega(beta), beta) <= sor_radius(omega, beta) + 1e-12


def test_the_surrogate_cost_bounds_the_count_when_tau_is_honest() -> None:
    shift, omega = 0.1, 1.5
    b = np.random.default_rng(8).standard_normal(100)
    bound = surrogate_cost(omega, grid_jacobi_radius(10, shift), tau=0.5, eps=1e-8)
    assert sor(dirichlet(10, shift), b, omega).iterations <= bound
