"""The stabiliser: less flicker, no ghosts, and a memory that survives."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdstream.bench.flicker.flicker import compare, scene_shots
from sdstream.bench.flicker.stand_in import StandInStyle
from sdstream.bench.flicker.synthetic import Scene
from sdstream.config.stabilise import StabiliseSettings
from sdstream.controls import STEADINESS
from sdstream.errors import Unavailable
from sdstream.relax.learner import RefusedCost
from sdstream.relax.red_black import Sweeps
from sdstream.stabilise.fusion import fusion_system
from sdstream.stabilise.motion import MotionFinder, grid, warp
from sdstream.stabilise.stabiliser import Stabiliser
from sdstream.stabilise.tuning import LONGEST, OMEGA_RANGE, OmegaTuner, extrapolated_cost
from sdstream.stabilise.weights import Weights, weights
from tests.harness.requirements import need
from tests.relax.matrices import screened

SIDE = 96
SETTINGS = StabiliseSettings(sweeps=24)


def shots(count: int, seed: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
    scene, style = Scene(SIDE, seed), StandInStyle(seed)
    cameras = [scene.frame(t) for t in range(count)]
    return [(camera, style(camera)[0]) for camera in cameras]


def steadied(stabiliser: Stabiliser, pairs: list[tuple[np.ndarray, np.ndarray]], steadiness: float) -> list[np.ndarray]:
    """Give the stabiliser these pairs of a camera's picture and a styled picture, and return its pictures."""
    return [stabiliser(camera, styled, steadiness=steadiness) for camera, styled in pairs]


@pytest.mark.parametrize("shape", [(96, 96, 3), (45, 71, 3), (64, 33, 3)])
def test_steadiness_zero_is_a_bit_exact_pass(shape) -> None:
    rng = np.random.default_rng(0)
    camera, styled = (rng.integers(0, 256, shape, dtype=np.uint8) for _ in range(2))
    with Stabiliser(SETTINGS) as stabiliser:
        stabiliser(camera, styled, steadiness=0.9)
        assert stabiliser(camera, styled, steadiness=0.0) is styled


def test_the_slider_starts_at_a_pass() -> None:
    pairs = shots(4)
    with Stabiliser(SETTINGS) as stabiliser:
        shown = steadied(stabiliser, pairs, 1e-6)
    assert np.abs(np.array(shown, int) - np.array([styled for _, styled in pairs])).max() <= 1


def flicker_left(steadiness: float) -> float:
    with Stabiliser(SETTINGS) as stabiliser:
        steadied(stabiliser, shots(12), steadiness)
        return stabiliser.last.e_warp


def test_more_steadiness_is_less_flicker() -> None:
    left = [flicker_left(STEADINESS[name]) for name in ("light", "steady", "frozen")]
    assert left == sorted(left, reverse=True)


@pytest.mark.parametrize("announced", [True, False])
def test_the_first_picture_after_a_cut_is_the_unfused_one(announced: bool) -> None:
    before = shots(6, seed=0)
    after = shots(9, seed=0)[6:] if announced else shots(3, seed=5)  # announced: the camera's picture goes on
    with Stabiliser(SETTINGS) as stabiliser:
        steadied(stabiliser, before, 0.8)
        assert stabiliser.last.fused
        camera, styled = after[0]
        assert np.array_equal(stabiliser(camera, styled, steadiness=0.8, cut=announced), styled)
        assert not stabiliser.last.fused
        camera, styled = after[1]
        assert not np.array_equal(stabiliser(camera, styled, steadiness=0.8), styled)


def test_a_background_that_the_camera_uncovers_shows_no_ghost() -> None:
    """A bright bar jumps over a dark ground: where it was, the picture is as dark as the new one says."""
    rng = np.random.default_rng(1)
    ground = rng.integers(20, 60, (SIDE, SIDE, 3), dtype=np.uint8)
    first, second = ground.copy(), ground.copy()
    first[20:70, 10:30], second[20:70, 60:80] = 250, 250
    with Stabiliser(SETTINGS) as stabiliser:
        stabiliser(first, first, steadiness=0.8)
        out = stabiliser(second, second, steadiness=0.8)
    ghost = np.abs(out[30:60, 15:25].astype(int) - second[30:60, 15:25]).mean()
    assert np.array_equal(out, second) or (stabiliser.last.fused and ghost < 12)


def test_a_still_picture_is_left_as_it_is() -> None:
    camera, styled = shots(1)[0]
    with Stabiliser(SETTINGS) as stabiliser:
        out = steadied(stabiliser, [(camera, styled)] * 5, 0.8)[-1]
    assert np.abs(out.astype(int) - styled).max() <= 1


def test_a_new_size_starts_afresh() -> None:
    rng = np.random.default_rng(2)
    with Stabiliser(SETTINGS) as stabiliser:
        for shape in [(64, 64, 3), (48, 80, 3)]:
            camera, styled = (rng.integers(0, 256, shape, dtype=np.uint8) for _ in range(2))
            assert np.array_equal(stabiliser(camera, styled, steadiness=0.8), styled)


@pytest.mark.parametrize(
    ("camera", "styled", "steadiness"),
    [((8, 8, 3), (8, 9, 3), 0.5), ((8, 8), (8, 8), 0.5), ((8, 8, 3), (8, 8, 3), 1.5), ((8, 8, 3), (8, 8, 3), math.nan)],
)
def test_pictures_and_a_steadiness_out_of_range_are_refused(camera, styled, steadiness) -> None:
    with Stabiliser(SETTINGS) as stabiliser, pytest.raises(ValueError, match=r"expected|steadiness"):
        stabiliser(np.zeros(camera, np.uint8), np.zeros(styled, np.uint8), steadiness=steadiness)


def test_late_frames_play_the_best_omega_known() -> None:
    pairs = shots(12)
    with Stabiliser(SETTINGS) as stabiliser:
        steadied(stabiliser, pairs, 0.8)
        seen = {stabiliser._tuner.choose(0.02, explore=False).omega for _ in range(6)}
    assert len(seen) == 1


def test_a_learned_state_is_kept_between_runs(tmp_path: Path) -> None:
    kept = StabiliseSettings(sweeps=24, state=tmp_path / "learned")
    with Stabiliser(kept) as stabiliser:
        steadied(stabiliser, shots(8), 0.8)
        learned = stabiliser._tuner._learner.theta.copy()
    with Stabiliser(kept) as again:
        again(*shots(1)[0], steadiness=0.8)
        assert np.array_equal(again._tuner._learner.theta, learned)


def test_a_damaged_memory_is_replaced_and_does_not_stop_the_show(tmp_path: Path) -> None:
    path = tmp_path / "fusion.json"
    path.write_text("{")
    tuner = OmegaTuner(0, path)
    assert OMEGA_RANGE[0] <= tuner.choose(0.02).omega <= OMEGA_RANGE[1]
    tuner.save(durable=True)
    assert OmegaTuner(0, path)._restored()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31), st.integers(3, 9), st.integers(3, 9))
def test_the_correction_solves_the_fusion_equation_as_it_is_written(seed: int, height: int, width: int) -> None:
    """(L + lam m + pull) O = div g + lam m Q + pull P, with the edge-wise gradients spelled out."""
    rng = np.random.default_rng(seed)
    p, q = rng.uniform(0, 255, (2, height, width))
    m, w = rng.uniform(0, 1, (height, width)), Weights(beta=0.8, lam=0.03, pull=0.002)
    right = w.lam * m * q + w.pull * p
    for i, j in np.ndindex(height, width):
        for a, b in ((i + 1, j), (i - 1, j), (i, j + 1), (i, j - 1)):
            if 0 <= a < height and 0 <= b < width:
                share = w.beta * min(m[i, j], m[a, b])
                right[i, j] += (1 - share) * (p[i, j] - p[a, b]) + share * (q[i, j] - q[a, b])
    direct = np.linalg.solve(screened(w.lam * m + w.pull), right.ravel()).reshape(height, width)
    system = fusion_system((q - p)[None], m, w)
    z = np.linalg.solve(screened(system.c), system.b.ravel()).reshape(height, width)
    np.testing.assert_allclose(p + z, direct, atol=1e-6)


def test_where_nothing_is_trusted_the_correction_is_exactly_zero() -> None:
    difference = np.random.default_rng(3).uniform(-255, 255, (3, 8, 9)).astype(np.float32)
    system = fusion_system(difference, np.zeros((8, 9), np.float32), weights(0.8, 256))
    assert not system.b.any()
    assert not system.guess.any()
    assert (system.c > 0).all()


def test_motion_is_found_and_points_that_left_the_picture_are_not_trusted() -> None:
    camera = Scene(128, 1).frame(0)
    moved = warp(camera, grid(128, 128) + np.array([3.0, -2.0], np.float32))
    finder = MotionFinder(128, 128, 256)
    assert finder(camera) is None
    motion = finder(moved)
    displacement = np.median((motion.position - grid(128, 128)).reshape(-1, 2), axis=0)
    np.testing.assert_allclose(displacement, [3.0, -2.0], atol=0.3)
    assert motion.trust[:, -2:].max() == 0.0
    assert motion.trust[8:-8, 8:-8].mean() > 0.8


def test_motion_looked_for_in_a_smaller_picture_has_the_larger_ones_units() -> None:
    camera = Scene(256, 1).frame(0)
    moved = warp(camera, grid(256, 256) + np.array([6.0, 0.0], np.float32))
    finder = MotionFinder(256, 256, 128)
    finder(camera)
    motion = finder(moved)
    assert motion.position.shape == (256, 256, 2)
    middle = (motion.position - grid(256, 256))[40:-40, 40:-40].reshape(-1, 2)
    np.testing.assert_allclose(np.median(middle, axis=0), [6.0, 0.0], atol=0.5)


@given(st.floats(0.01, 300.0), st.floats(0.15, 0.98), st.floats(1.0, 1.95), st.floats(1e-4, 0.3))
def test_the_extrapolated_cost_counts_the_sweeps_of_a_geometric_decay(first, contraction, omega, screening) -> None:
    """Errors that shrink by l each sweep: after K sweeps the count to the tolerance must not depend on K."""
    contraction = max(contraction, omega - 1.0)
    early, late = (Sweeps(k, first * contraction**k, contraction) for k in (8, 30))
    costs = [extrapolated_cost(sweeps, omega, screening) for sweeps in (early, late)]
    inside = all(2.0 < cost < LONGEST for cost in costs)
    assert not inside or costs[0] == pytest.approx(costs[1], abs=1e-6)
    assert all(2.0 <= cost <= LONGEST for cost in costs)


def test_a_broken_measurement_is_refused_and_teaches_nothing() -> None:
    tuner = OmegaTuner(0)
    tuned = tuner.choose(0.02)
    before = tuner._learner.state()
    with pytest.raises(RefusedCost):
        tuner.learn(tuned, Sweeps(16, math.nan, 0.5))
    assert tuner._learner.state() == before


def test_on_known_motion_fusion_steadies_and_the_learned_omega_solves_better_than_a_fixed_one() -> None:
    bench = compare(scene_shots(Scene(128, 2), 24), StandInStyle(), sweeps=32, side=128)
    score = {score.name: score for score in bench.scores}
    learned = score["fusion, w learned"]
    assert learned.e_warp <= 0.25 * score["raw"].e_warp
    assert learned.e_warp <= 0.8 * score["flow mean"].e_warp
    assert learned.error <= 0.5 * score["fusion, w = 1.5"].error
    assert learned.psnr > score["raw"].psnr + 3.0


def test_a_gpu_that_is_not_there_is_named_and_not_replaced_in_silence() -> None:
    torch = pytest.importorskip("torch", reason="the torch path needs the [diffusion] extra")
    need("a machine without a GPU" if torch.cuda.is_available() else None)
    camera, styled = shots(1)[0]
    with Stabiliser(StabiliseSettings(device="cuda")) as stabiliser, pytest.raises(Unavailable, match="CUDA"):
        stabiliser(camera, styled, steadiness=0.8)


def test_a_folder_that_cannot_be_written_is_told_of_and_ends_nothing(tmp_path, capsys) -> None:
    (tmp_path / "file").write_text("in the way")
    camera, styled = np.full((2, 64, 64, 3), 90, np.uint8)
    with Stabiliser(StabiliseSettings(sweeps=8, state=tmp_path / "file" / "folder")) as stabiliser:
        steadied(stabiliser, [(camera, styled)] * 3, 0.8)
    assert "learned omegas not saved" in "".join(capsys.readouterr())
