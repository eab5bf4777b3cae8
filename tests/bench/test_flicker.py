"""The flicker benchmark: its scene, its measure and its command."""

import json

import cv2
import numpy as np
import pytest

from sdstream.bench.flicker.averages import FlowMean, PlainMean
from sdstream.bench.flicker.flicker import clip_shots
from sdstream.bench.flicker.stand_in import StandInStyle
from sdstream.bench.flicker.synthetic import Scene
from sdstream.cli import bench_picture
from sdstream.errors import Unavailable
from sdstream.stabilise.motion import warp
from tests.harness.requirements import need


@pytest.mark.parametrize("t", [1, 17])
def test_the_scenes_motion_carries_one_frame_onto_the_next(t: int) -> None:
    scene = Scene(128, 3)
    motion = scene.motion(t)
    new, moved = scene.frame(t).astype(float), warp(scene.frame(t - 1).astype(np.float32), motion.position)
    assert motion.seen.mean() > 0.85
    unmoved = scene.frame(t - 1).astype(float)
    along, still = (np.abs(new - old)[motion.seen].mean() for old in (moved, unmoved))
    assert along < 5.0
    assert along < 0.7 * still


def test_a_scene_is_a_function_of_its_seed() -> None:
    assert np.array_equal(Scene(64, 1).frame(5), Scene(64, 1).frame(5))
    assert not np.array_equal(Scene(64, 1).frame(5), Scene(64, 2).frame(5))


def test_the_stand_in_flickers_around_a_steady_style() -> None:
    camera, style = Scene(96, 0).frame(0), StandInStyle(0)
    (first, clean), (second, again) = style(camera), style(camera)
    assert np.array_equal(clean, again)
    assert np.abs(first.astype(int) - second).mean() > 8.0


@pytest.mark.parametrize("make", [lambda: PlainMean(0.8), lambda: FlowMean(0.8, 96)])
def test_running_means_calm_a_still_scene(make) -> None:
    camera, style, method = Scene(96, 0).frame(0), StandInStyle(0), make()
    raw = [style(camera)[0] for _ in range(12)]
    calm = [method(camera, picture) for picture in raw]
    assert np.abs(calm[-1].astype(int) - calm[-2]).mean() < 0.4 * np.abs(raw[-1].astype(int) - raw[-2]).mean()


def test_a_clip_gives_square_rgb_pictures_and_a_missing_one_is_named(tmp_path) -> None:
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (96, 64))
    for _ in range(5):
        writer.write(np.full((64, 96, 3), (200, 30, 10), np.uint8))  # BGR: a blue picture
    writer.release()
    shots = [camera for camera, _ in clip_shots(path, 80, 3)]
    assert [shot.shape for shot in shots] == [(80, 80, 3)] * 3
    assert shots[0].mean(axis=(0, 1))[2] > 150
    with pytest.raises(Unavailable, match="nowhere"):
        next(clip_shots(tmp_path / "nowhere.mp4", 80, 3))


def test_the_command_prints_a_table_or_json_and_draws_a_sheet(tmp_path, capsys) -> None:
    sheet = tmp_path / "sheet.png"
    bench_picture.picture("synthetic", frames=4, size=64, sweeps=16, sheet=sheet, gpu=False, as_json=True)
    out = json.loads(capsys.readouterr().out)
    assert [score["name"] for score in out["scores"]][:3] == ["raw", "mean", "flow mean"]
    assert out["scores"][0]["error"] is None
    assert cv2.imread(str(sheet)).shape == (7 * 64, 3 * 64, 3)
    bench_picture.picture("synthetic", frames=4, size=64, sweeps=16, sheet=None, gpu=False, as_json=False)
    assert "E_warp, fused / raw" in capsys.readouterr().out


def test_the_command_refuses_a_gpu_that_is_not_there() -> None:
    torch = pytest.importorskip("torch", reason="the torch path needs the [diffusion] extra")
    need("a machine without a GPU" if torch.cuda.is_available() else None)
    with pytest.raises(Unavailable, match="CUDA"):
        bench_picture.picture("synthetic", frames=4, size=64, sweeps=16, sheet=None, gpu=True, as_json=False)
