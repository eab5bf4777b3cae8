"""Regions: the mask decides which picture shows, and the camera picture is that of the same frame."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from structlog.testing import capture_logs

from sdstream.config.engine import DiffusionSettings, PassthroughSettings
from sdstream.config.schema import Canvas
from sdstream.config.stabilise import StabiliseSettings
from sdstream.controls import Controls, Region
from sdstream.engine import DuePrompt, Restyled
from sdstream.engine.diffusion import DiffusionEngine
from sdstream.errors import Unavailable
from sdstream.frame import Frame, Pixels
from sdstream.stabilise.region import RegionComposite
from sdstream.stages.finisher import Finisher
from sdstream.stages.regions import Regions, feather

CANVAS = Canvas(width=64, height=64)


def picture(seed: int) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (64, 64, 3), dtype=np.uint8)


@pytest.fixture
def mask(tmp_path: Path) -> Path:
    left = np.zeros((128, 128), np.uint8)
    left[:, :64] = 255
    file = tmp_path / "mask.png"
    cv2.imwrite(str(file), left)
    return file


def regions(**more: object) -> Regions:
    return Regions(DiffusionSettings(device="cpu", dtype="float32", **more), StabiliseSettings())


def composed(opened: Regions, region: Region, styled: Pixels | None = None, camera: Pixels | None = None) -> Pixels:
    given = [picture(seed) if pixels is None else pixels for seed, pixels in enumerate((styled, camera))]
    return opened.apply(*given, region, late=False)


def test_white_is_restyled_and_black_is_the_camera_of_the_same_frame(tiny_model, mask):
    settings = DiffusionSettings(
        model=str(tiny_model), width=64, height=64, device="cpu", acceleration="eager", dtype="float32", mask=mask
    )
    shows = {"steps": (10, 30), "similarity": {"mode": "off"}, "region": Region(mode="mask", feather=0)}
    with DiffusionEngine(settings) as engine, Finisher(CANVAS, settings, StabiliseSettings()) as finisher:
        given = [engine(Frame(picture(k), k, 0.0, 0.0), Controls(**shows)) for k in range(4)]
        halves = [finisher.finish(restyled, late=False).frame for restyled in given[1:]]
    assert given[0] is None
    for k, half in enumerate(halves):
        assert half.seq == k
        assert np.array_equal(half.pixels[:, :32], given[k + 1].pixels[:, :32])
        assert np.array_equal(half.pixels[:, 32:], picture(k)[:, 32:])


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


def test_person_and_background_share_the_picture_between_them(people_model):
    opened = regions(segmentation_model=str(people_model))
    everything, person, background = (
        composed(opened, Region(mode=mode)).astype(int) for mode in ("everything", "person", "background")
    )
    assert np.array_equal(everything, picture(0))
    assert np.abs(person + background - everything - picture(1)).max() <= 2
    assert not np.array_equal(person, everything)


@pytest.mark.parametrize(("mode", "needs"), [("mask", "engine.mask"), ("background", "engine.segmentation_model")])
def test_a_region_without_what_it_needs_shows_everything_and_says_so_once(mode, needs):
    opened = regions()
    with capture_logs() as logs:
        pictures = [composed(opened, Region(mode=mode)) for _ in range(3)]
    assert all(np.array_equal(shown, picture(0)) for shown in pictures)
    assert [line["needs"] for line in logs] == [needs]


def test_the_engine_without_a_model_has_no_regions_to_open():
    opened = Regions(PassthroughSettings(kind="passthrough"), StabiliseSettings())
    assert np.array_equal(composed(opened, Region()), picture(0))


@pytest.mark.parametrize("late", [True, False])
def test_a_late_frame_of_a_region_explores_no_omega(mask, late, monkeypatch):
    asked = []

    class Listening(RegionComposite):
        def __call__(self, live: Pixels, styled: Pixels, region: np.ndarray, *, late: bool) -> Pixels:
            asked.append(late)
            return super().__call__(live, styled, region, late=late)

    monkeypatch.setattr("sdstream.stages.regions.RegionComposite", Listening)
    settings = DiffusionSettings(device="cpu", dtype="float32", mask=mask)
    controls = Controls(region=Region(mode="mask", edge="seamless"))
    frame = Frame(picture(1), 1, 0.0, 0.0)
    with Finisher(CANVAS, settings, StabiliseSettings(sweeps=8)) as finisher:
        restyled = Restyled.of(frame, picture(0), picture(1), controls, DuePrompt("oil"))
        finisher.finish(restyled, late=late)
    assert asked == [late]


def test_a_mask_that_is_no_picture_is_refused(tmp_path):
    file = tmp_path / "mask.png"
    file.write_text("no picture")
    with pytest.raises(Unavailable, match=r"mask\.png"):
        regions(mask=file)


def test_a_segmentation_model_without_people_is_refused(tmp_path):
    from transformers import SegformerConfig, SegformerForSemanticSegmentation

    sizes = {"hidden_sizes": [8] * 4, "depths": [1] * 4, "num_attention_heads": [1] * 4, "decoder_hidden_size": 8}
    config = SegformerConfig(**sizes, id2label={0: "cat", 1: "dog"}, label2id={"cat": 0, "dog": 1})
    SegformerForSemanticSegmentation(config).save_pretrained(tmp_path)
    with pytest.raises(Unavailable, match="person"):
        regions(segmentation_model=str(tmp_path))


def test_a_seamless_edge_meets_the_camera_picture_at_the_rim(mask):
    smooth = cv2.resize(picture(3)[::16, ::16], (64, 64), interpolation=cv2.INTER_CUBIC)
    styled = 255 - smooth

    def step_at_the_rim(edge: str) -> float:
        region = Region(mode="mask", feather=0, edge=edge)
        with regions(mask=mask) as opened:
            shown = composed(opened, region, styled, smooth).astype(float)
        assert (shown[:, 33:] == smooth[:, 33:]).all()
        return float(np.abs(shown[:, 31] - shown[:, 32]).mean())

    assert step_at_the_rim("seamless") < 0.5 * step_at_the_rim("feather")


def test_a_mask_fits_pictures_of_any_size(mask):
    opened = regions(mask=mask)
    for side in (32, 64, 32):
        styled, camera = np.full((side, side, 3), 200, np.uint8), np.zeros((side, side, 3), np.uint8)
        shown = composed(opened, Region(mode="mask", feather=0), styled, camera)
        assert (shown[:, : side // 2] == 200).all()
        assert (shown[:, side // 2 :] == 0).all()
