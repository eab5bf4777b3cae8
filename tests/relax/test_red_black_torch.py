"""The red-black solver in torch computes what the solver in NumPy computes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="the torch path needs the [diffusion] extra")

from sdstream.relax.red_black import RedBlack  # noqa: E402
from sdstream.relax.red_black_torch import RedBlackTorch  # noqa: E402
from tests.harness.gpu import no_waiting  # noqa: E402


def system(seed: int, height: int, width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    c = rng.uniform(0.01, 0.5, (height, width)).astype(np.float32)
    b, x = rng.standard_normal((2, 3, height, width)).astype(np.float32)
    return c, b, x


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**31), st.integers(2, 11), st.integers(2, 11), st.floats(1.0, 1.9))
def test_torch_and_numpy_sweep_alike_and_measure_alike(seed, height, width, omega) -> None:
    ours, theirs = RedBlackTorch(height, width, 3, 8), RedBlack(height, width, 3)
    for k in range(2):  # the second system must see nothing of the first
        ours.load(*system(seed + k, height, width))
        theirs.load(*system(seed + k, height, width))
        got, expected = ours.sweep(omega, 8), theirs.sweep(omega, 8)
    np.testing.assert_allclose(ours.x(), theirs.x(), atol=2e-4)
    assert got.correction == pytest.approx(expected.correction, rel=1e-2, abs=1e-6)
    assert got.count == expected.count
    assert expected.correction <= 1e-4 or got.contraction == pytest.approx(expected.contraction, rel=1e-2)


def solved(omega: "float | torch.Tensor") -> "torch.Tensor":
    solver = RedBlackTorch(9, 8, 3, 5)
    solver.load(*system(0, 9, 8))
    solver.launch(omega)
    return solver.solution()


def test_omega_may_be_a_scalar_on_the_device() -> None:
    assert torch.equal(solved(1.7), solved(torch.tensor(1.7)))


def test_too_few_sweeps_to_measure_the_contraction_say_so() -> None:
    solver = RedBlackTorch(6, 6, 3, 2)
    solver.load(*system(0, 6, 6))
    assert solver.sweep(1.2, 2).contraction == 1.0


def test_a_solver_made_for_another_number_of_sweeps_refuses() -> None:
    with pytest.raises(ValueError, match="captured with 4"):
        RedBlackTorch(6, 6, 3, 4).sweep(1.2, 5)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
def test_a_captured_graph_stays_valid_when_omega_and_the_system_change() -> None:
    ours, theirs = RedBlackTorch(65, 48, 3, 12, device="cuda"), RedBlack(65, 48, 3)
    for seed, omega in ((0, 1.5), (1, 1.85), (2, 1.0)):
        ours.load(*system(seed, 65, 48))
        theirs.load(*system(seed, 65, 48))
        assert ours.sweep(omega, 12).correction == pytest.approx(theirs.sweep(omega, 12).correction, rel=1e-2)
        np.testing.assert_allclose(ours.x(), theirs.x(), atol=1e-3)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
def test_no_step_between_load_and_solution_waits_for_the_gpu() -> None:
    solver = RedBlackTorch(64, 64, 3, 8, device="cuda")
    c, b, x = (torch.from_numpy(part).cuda() for part in system(0, 64, 64))
    omega = torch.tensor(1.7, device="cuda")
    solver.load(c, b, x)
    solver.launch(omega)
    with no_waiting():
        solver.load(c, b, x)
        solver.launch(omega)
        solver.solution()
