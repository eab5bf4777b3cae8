"""Regions: the mask decides which picture shows, and the camera picture is that of the same frame."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from sdstream.config.engine import DiffusionSettings
from sdstream.config.stabilise import StabiliseSettings
from sdstream.controls import Controls, Region
from sdstream.engine.diffusion import DiffusionEngine
from sdstream.engine.region import feather
from sdstream.errors import Unavailable
from sdstream.frame import Pixels
from sdstream.stabilise.region import RegionComposite


def picture(seed: int) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (64, 64, 3), dtype=np.uint8)


@pytest.fixture
def mask(tmp_path: Path) -> Path:
    left = np.zeros((128, 128), np.uint8)
    left[:, :64] = 255
    file = tmp_path / "mask.png"
    cv2.imwrite(str(file), left)
    return file


def settings(model: Path, **more: object) -> DiffusionSettings:
    return DiffusionSettings(
        model=str(model), width=64, height=64, device="cpu", acceleration="eager", dtype="float32", **more
    )


def test_white_is_restyled_and_black_is_the_camera_of_the_same_frame(tiny_model, mask):
    shows = {"steps": (10, 30), "similarity": {"mode": "off"}}
    with DiffusionEngine(settings(tiny_model)) as engine:
        whole = [engine(picture(k), Controls(**shows)) for k in range(4)]
    with DiffusionEngine(settings(tiny_model, mask=mask)) as engine:
        region = Region(mode="mask", feather=0)
        halves = [engine(picture(k), Controls(**shows, region=region)) for k in range(4)]
    assert halves[0] is None
    for k in range(1, 4):
        assert np.array_equal(halves[k][:, :32], whole[k][:, :32])
        assert np.array_equal(halves[k][:, 32:], picture(k - 1)[:, 32:])


@pytest.mark.parametrize("width", [0.0, 0.001, 0.05, 0.5])
def test_a_feather_keeps_the_far_sides_and_never_overshoots(width):
    edge = np.zeros((64, 64), np.float32)
    edge[:, :32] = 1
    soft = feather(edge, width)
    assert soft.min() >= 0
    assert soft.max() <= 1 + 1e-6
    assert soft[32, 0] > soft[32, 63]
    assert (np.diff(soft[32]) <= 1e-6).all()


@pytest.fixture(scope="module")
def people_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from transformers import SegformerConfig, SegformerForSemanticSegmentation

    folder = tmp_path_factory.mktemp("people")
    config = SegformerConfig(
        hidden_sizes=[8, 8, 8, 8], depths=[1, 1, 1, 1], num_attention_heads=[1, 1, 1, 1], decoder_hidden_size=8,
        id2label={0: "wall", 1: "Person"}, label2id={"wall": 0, "Person": 1},
    )  # fmt: skip
    SegformerForSemanticSegmentation(config).save_pretrained(folder)
    return folder


def test_person_and_background_share_the_picture_between_them(tiny_model, people_model):
    def render(mode: str) -> np.ndarray:
        with DiffusionEngine(settings(tiny_model, segmentation_model=str(people_model))) as engine:
            return engine(picture(0), Controls(steps=(20,), region={"mode": mode})).astype(int)

    everything, person, background = render("everything"), render("person"), render("background")
    assert np.abs(person + background - everything - picture(0)).max() <= 2
    assert not np.array_equal(person, everything)


@pytest.mark.parametrize(("mode", "needs"), [("mask", "engine.mask"), ("person", "segmentation_model")])
def test_a_region_without_what_it_needs_says_so(tiny_model, mode, needs):
    with DiffusionEngine(settings(tiny_model)) as engine, pytest.raises(Unavailable, match=needs):
        engine(picture(0), Controls(region={"mode": mode}))


def test_a_mask_that_is_no_picture_is_refused(tiny_model, tmp_path):
    file = tmp_path / "mask.png"
    file.write_text("no picture")
    with pytest.raises(Unavailable, match=r"mask\.png"), DiffusionEngine(settings(tiny_model, mask=file)):
        pass


def test_a_segmentation_model_without_people_is_refused(tiny_model, tmp_path):
    from transformers import SegformerConfig, SegformerForSemanticSegmentation

    sizes = {"hidden_sizes": [8] * 4, "depths": [1] * 4, "num_attention_heads": [1] * 4, "decoder_hidden_size": 8}
    config = SegformerConfig(**sizes, id2label={0: "cat", 1: "dog"}, label2id={"cat": 0, "dog": 1})
    SegformerForSemanticSegmentation(config).save_pretrained(tmp_path)
    chosen = settings(tiny_model, segmentation_model=str(tmp_path))
    with pytest.raises(Unavailable, match="person"), DiffusionEngine(chosen):
        pass


def test_a_seamless_edge_meets_the_camera_picture_at_the_rim(tiny_model, mask):
    smooth = cv2.resize(picture(3)[::16, ::16], (64, 64), interpolation=cv2.INTER_CUBIC)
    shows = {"steps": (10,), "similarity": {"mode": "off"}}

    def step_at_the_rim(edge: str) -> float:
        region = Region(mode="mask", feather=0, edge=edge)
        compose = RegionComposite(StabiliseSettings())
        with compose, DiffusionEngine(settings(tiny_model, mask=mask), compose=compose) as engine:
            shown = engine(smooth, Controls(**shows, region=region)).astype(float)
        assert (shown[:, 33:] == smooth[:, 33:]).all()
        return float(np.abs(shown[:, 31] - shown[:, 32]).mean())

    assert step_at_the_rim("seamless") < 0.5 * step_at_the_rim("feather")


def test_a_seamless_edge_without_the_stabiliser_is_refused(tiny_model, mask):
    with DiffusionEngine(settings(tiny_model, mask=mask)) as engine, pytest.raises(Unavailable, match="seamless"):
        engine(picture(0), Controls(region=Region(mode="mask", edge="seamless")))
