"""Conditions by models of one's own: ONNX and transformers, drawn as the public ControlNets were trained."""

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from sdstream.controls import Controls
from sdstream.engine.adapters.annotators import make_annotator
from sdstream.engine.adapters.pose import COLOURS, draw_pose
from sdstream.errors import Unavailable
from sdstream.frame import Pixels
from tests.engine.pixel_engine import PixelEngine, settings

PLAIN = {"do_normalize": False, "size": {"height": 64, "width": 64}}  # pixels from 0 to 1


def picture() -> Pixels:
    dark = np.zeros((64, 64, 3), np.uint8)
    dark[:, 20:24] = 255
    return dark


def model(folder: Path, weight: npt.NDArray[np.float32], *, bias: float = 0.0, outputs: int = 1) -> Path:
    """Write a network of a single convolution, [channels, 3, 1, 1]; further outputs come first, and are zero."""
    folder.mkdir(parents=True, exist_ok=True)
    channels = weight.shape[0]
    constants = [numpy_helper.from_array(weight.astype(np.float32), "w")]
    constants.append(numpy_helper.from_array(np.full(channels, bias, np.float32), "b"))
    constants.append(numpy_helper.from_array(np.zeros((1,), np.float32), "zero"))
    nodes = [helper.make_node("Conv", ["x", "w", "b"], ["y"])]
    nodes += [helper.make_node("Mul", ["y", "zero"], [f"side{k}"]) for k in range(outputs - 1)]
    nodes.append(helper.make_node("Identity", ["y"], ["z_last"]))
    shape = [1, channels, 64, 64]
    names = [f"side{k}" for k in range(outputs - 1)] + ["z_last"]
    results = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in names]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 64, 64])]
    graph = helper.make_graph(nodes, "net", inputs, results, constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), folder / "net.onnx")
    (folder / "preprocessor_config.json").write_text(json.dumps(PLAIN))
    return folder / "net.onnx"


def grey(channels: int = 1, factor: float = 1.0) -> npt.NDArray[np.float32]:
    return np.full((channels, 3, 1, 1), factor / 3, np.float32)


def annotated(condition: str, file: Path) -> Pixels:
    drawn = make_annotator("a", condition, str(file), torch.device("cpu"))(picture())
    assert drawn.shape == (64, 64, 3)
    assert drawn.dtype == np.uint8
    return drawn


@pytest.mark.parametrize("condition", ["hed", "lineart", "scribble"])
@pytest.mark.parametrize(
    ("factor", "bias"), [(1.0, 0.0), (-1.0, 1.0), (60.0, -30.0)], ids=["bright lines", "dark lines", "logits"]
)
def test_lines_are_white_on_black_however_the_model_gives_lines(tmp_path, condition, factor, bias):
    drawn = annotated(condition, model(tmp_path, grey(factor=factor), bias=bias))
    assert np.array_equal(drawn, picture())


def test_soft_edges_keep_their_softness_and_a_scribble_has_none(tmp_path):
    file = model(tmp_path, grey(factor=0.6))
    assert set(np.unique(annotated("hed", file))) == {0, 153}
    assert set(np.unique(annotated("scribble", file))) == {0, 255}


def test_the_last_output_of_several_counts(tmp_path):
    assert np.array_equal(annotated("hed", model(tmp_path, grey(), outputs=3)), picture())


def test_a_folder_with_the_file_will_do(tmp_path):
    model(tmp_path, grey())
    assert np.array_equal(annotated("hed", tmp_path), picture())


def test_normals_are_drawn_from_vectors_of_any_length(tmp_path):
    weight = np.zeros((3, 3, 1, 1), np.float32)
    weight[0], weight[2] = 2.0, -2.0
    drawn = annotated("normal", model(tmp_path, weight))
    assert drawn[0, 22].tolist() == [218, 128, 37]  # (1, 0, -1) / sqrt(2)
    assert drawn[0, 0].tolist() == [128, 128, 128]


def heat(points: dict[int, tuple[int, int]], count: int) -> npt.NDArray[np.float32]:
    maps = np.zeros((count, 16, 16), np.float32)
    for index, (x, y) in points.items():
        maps[index, y, x] = 1.0
    return maps


def test_a_pose_of_coco_has_a_neck_between_the_shoulders_in_the_colours_of_openpose():
    drawn = draw_pose(heat({5: (4, 4), 6: (12, 4), 0: (8, 1)}, 17), (256, 256))
    assert drawn[24, 136].tolist() == list(COLOURS[0])  # the nose
    assert drawn[72, 136].tolist() == list(COLOURS[1])  # the neck
    assert drawn[72, 200].tolist() == list(COLOURS[2])  # the right shoulder
    assert drawn[72, 72].tolist() == list(COLOURS[5])  # the left shoulder
    assert drawn[72, 168].any()  # the limb between
    assert not drawn[200].any()


def test_a_point_that_is_not_seen_is_not_drawn():
    assert not draw_pose(0.2 * heat({0: (8, 8)}, 18), (64, 64)).any()


def test_a_pose_model_in_the_layout_of_transformers_runs(tmp_path):
    from transformers import VitPoseBackboneConfig, VitPoseConfig, VitPoseForPoseEstimation

    small = VitPoseBackboneConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, image_size=[64, 48], patch_size=[16, 16]
    )
    net = VitPoseForPoseEstimation(VitPoseConfig(backbone_config=small, num_labels=17, use_simple_decoder=True))
    net.save_pretrained(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({"size": {"height": 64, "width": 48}}))
    annotated("openpose", tmp_path)
    with pytest.raises(Unavailable, match=r"is VitPoseForPoseEstimation, and condition hed needs an \.onnx file"):
        annotated("hed", tmp_path)


@pytest.mark.parametrize(("condition", "channels"), [("hed", 3), ("normal", 1), ("openpose", 1)])
def test_a_model_of_another_kind_is_refused_with_its_channels(tmp_path, condition, channels):
    with pytest.raises(Unavailable, match=rf"'a'.*gives {channels} channels: expected .* for condition {condition}"):
        annotated(condition, model(tmp_path, grey(channels)))


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [("net.onnx", b"no network", "cannot be loaded"), ("net.pt", b"x", "expected an .onnx file")],
)
def test_a_file_that_is_no_network_is_refused(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(Unavailable, match=rf"'a'.*{said}"):
        annotated("hed", tmp_path / name)


def test_a_network_without_finite_numbers_is_refused_before_going_on_air(tmp_path):
    with pytest.raises(Unavailable, match=r"'a'.*expected finite numbers"):
        annotated("hed", model(tmp_path, grey(factor=float("inf"))))


def test_the_condition_reaches_the_picture_and_needs_its_model(tiny_model, tmp_path):
    from diffusers import ControlNetModel, UNet2DConditionModel

    torch.manual_seed(1)
    net = ControlNetModel.from_unet(UNet2DConditionModel.from_pretrained(tiny_model / "unet"))
    with torch.no_grad():
        for layer in [*net.controlnet_down_blocks, net.controlnet_mid_block, net.controlnet_cond_embedding.conv_out]:
            layer.weight.normal_(0, 0.5)
    net.save_pretrained(tmp_path / "net")
    seen = []
    for factor in (1.0, 0.0):
        file = model(tmp_path / str(factor), grey(factor=factor))
        chosen = {"model": str(tmp_path / "net"), "condition": "lineart", "condition_model": str(file)}
        with PixelEngine(settings(tiny_model, controlnets={"a": chosen})) as engine:
            seen.append(engine(picture(), Controls(steps=(10,))))
    assert not np.array_equal(*seen)
    with pytest.raises(Unavailable, match=r"engine\.controlnets\.a\.condition_model"):
        PixelEngine(
            settings(tiny_model, controlnets={"a": {"model": str(tmp_path / "net"), "condition": "hed"}})
        ).__enter__()
