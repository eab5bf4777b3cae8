"""The region: the restyled part meets the camera's picture without a rim."""

from pathlib import Path

import numpy as np
import pytest
from scipy import sparse
from scipy.sparse.linalg import spsolve

from sdstream.bench.flicker.stand_in import StandInStyle
from sdstream.bench.flicker.synthetic import Scene
from sdstream.config.stabilise import StabiliseSettings
from sdstream.stabilise.region import SCREENING, RegionComposite

SIDE = 128


def disc(radius: float) -> np.ndarray:
    y, x = np.indices((SIDE, SIDE)) - SIDE / 2
    return x * x + y * y < radius * radius


def pictures(count: int) -> list[tuple[np.ndarray, np.ndarray]]:
    scene, style = Scene(SIDE, 4), StandInStyle(4)
    cameras = [scene.frame(t) for t in range(count)]
    return [(camera, 255 - style(camera)[1]) for camera in cameras]  # a strongly recoloured style


def rim_error(out: np.ndarray, styled: np.ndarray, live: np.ndarray, region: np.ndarray) -> float:
    """RMS over edges that cross the rim of how far the step is from the nearer of both pictures' own steps."""
    crossing = region[:, 1:] != region[:, :-1]
    steps = [np.diff(picture.astype(float), axis=1)[crossing] for picture in (out, styled, live)]
    return float(np.sqrt(np.mean(np.minimum(np.abs(steps[0] - steps[1]), np.abs(steps[0] - steps[2])) ** 2)))


def test_the_region_meets_the_live_picture_without_a_rim_and_keeps_its_palette() -> None:
    region = disc(48)
    with RegionComposite(StabiliseSettings(sweeps=16)) as composite:
        for live, styled in pictures(12):
            out = composite(live, styled, region)
    hard = np.where(region[..., None], styled, live)
    assert rim_error(out, styled, live, region) < 0.25 * rim_error(hard, styled, live, region)
    assert np.array_equal(out[~region], live[~region])
    middle = disc(8)
    assert np.abs(out[middle].astype(float) - styled[middle]).mean() < 12.0


def test_the_correction_is_the_screened_membranes_direct_solution() -> None:
    region, (live, styled) = disc(20), pictures(1)[0]
    with RegionComposite(StabiliseSettings(sweeps=256)) as composite:
        composite(live, styled, region)
        ours = composite._correction
    index = np.full(region.shape, -1)
    index[region] = np.arange(region.sum())
    rows, columns, values = [], [], []
    right = np.zeros((region.sum(), 3))
    rim = live.astype(float) - styled
    screening = SCREENING * (256 / SIDE) ** 2
    for i, j in zip(*np.nonzero(region), strict=True):
        rows.append(index[i, j]), columns.append(index[i, j]), values.append(4.0 + screening)
        for a, b in ((i + 1, j), (i - 1, j), (i, j + 1), (i, j - 1)):
            if region[a, b]:
                rows.append(index[i, j]), columns.append(index[a, b]), values.append(-1.0)
            else:
                right[index[i, j]] += rim[a, b]
    direct = spsolve(sparse.csc_matrix((values, (rows, columns))), right)
    assert np.abs(ours[:, region].T - direct).max() < 0.5


@pytest.mark.parametrize("whole", [True, False])
def test_a_region_that_is_everything_or_nothing_is_one_of_the_two_pictures(whole: bool) -> None:
    live, styled = pictures(1)[0]
    with RegionComposite(StabiliseSettings()) as composite:
        assert composite(live, styled, np.full((SIDE, SIDE), whole)) is (styled if whole else live)


def test_shapes_that_do_not_belong_together_are_refused() -> None:
    live, styled = pictures(1)[0]
    with RegionComposite(StabiliseSettings()) as composite, pytest.raises(ValueError, match="bool"):
        composite(live, styled, np.ones((SIDE, SIDE - 1), bool))


def test_the_memory_of_a_region_is_kept_apart_from_the_memory_of_the_fusion(tmp_path: Path) -> None:
    live, styled = pictures(1)[0]
    with RegionComposite(StabiliseSettings(state=tmp_path)) as composite:
        composite(live, styled, disc(30))
    assert [path.name for path in tmp_path.iterdir()] == ["region-128x128-24.json"]


def test_late_frames_play_the_best_omega_known() -> None:
    region, shown = disc(30), pictures(6)
    with RegionComposite(StabiliseSettings(sweeps=16)) as composite:
        for live, styled in shown:
            composite(live, styled, region)
        dice = composite._tuner._learner._rng.bit_generator
        before = dice.state
        composite(*shown[0], region, late=True)
        assert dice.state == before  # nothing was drawn
        composite(*shown[1], region)
        assert dice.state != before
