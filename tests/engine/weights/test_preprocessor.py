"""Depth and segmentation models see what the library's own image processor shows them."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from sdstream.engine.adapters.controlnet import Depth
from sdstream.engine.people import People
from sdstream.engine.weights.preprocessor import Preprocessor, input_size
from sdstream.errors import Unavailable
from sdstream.frame import Pixels
from tests.engine.pixel_engine import picture

CPU = torch.device("cpu")
IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
SIZES = {"hidden_sizes": [8] * 4, "depths": [1] * 4, "num_attention_heads": [1] * 4}


def smooth(seed: int, width: int = 64, height: int = 64) -> Pixels:
    return cv2.resize(cv2.resize(picture(seed), (6, 6)), (width, height))


def configured(folder: Path, config: dict[str, object]) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "preprocessor_config.json").write_text(json.dumps(config))
    return folder


@pytest.mark.parametrize(
    ("module", "name", "fields"),
    [
        ("segformer", "SegformerImageProcessor", {"size": {"height": 48, "width": 96}}),
        ("dpt", "DPTImageProcessor", {"size": {"height": 56, "width": 56}, **IMAGENET}),
        ("dpt", "DPTImageProcessor", {"size": {"height": 56, "width": 56}, "keep_aspect_ratio": True,
                                      "ensure_multiple_of": 14, "resample": 3, **IMAGENET}),
        ("glpn", "GLPNImageProcessor", {"size_divisor": 32}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("size", [(64, 64), (160, 90), (90, 160), (48, 40)])
def test_the_input_is_that_of_the_librarys_processor(tmp_path, module, name, fields, size):
    import importlib

    library = importlib.import_module(f"transformers.models.{module}.image_processing_pil_{module}")
    processor = getattr(library, f"{name}Pil")(**fields)
    processor.save_pretrained(tmp_path)
    frame = smooth(1, *size)
    theirs = torch.from_numpy(np.stack(processor(images=frame)["pixel_values"]))
    ours = Preprocessor(tmp_path, "model", 64, CPU)(frame)
    assert ours.shape == theirs.shape
    assert float((ours - theirs).abs().mean()) < 0.05  # the filters of the libraries differ a little


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, (384, 384)),
        ({"size": 64}, (64, 64)),
        ({"size": {"shortest_edge": 90}}, (160, 90)),
        ({"do_resize": False, "size": 64}, (320, 180)),
        ({"size": {"height": 60, "width": 30}}, (30, 60)),
    ],
)
def test_a_size_is_read_from_configs_of_any_age(config, expected):
    assert input_size(config, 384, (320, 180)) == expected


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"do_pad": True}, "do_pad"),
        ({"do_center_crop": True}, "do_center_crop"),
        ({"do_flip_channel_order": True}, "do_flip_channel_order"),
        ({"size": {"height": "tall"}}, "tall"),
        ({"size": {"height": 0, "width": 9}}, "9x0"),
        ({"image_std": [0, 1, 1]}, "preprocessor_config"),
        ({"image_std": [float("nan"), 1, 1]}, "image_std"),
        ({"image_mean": [0.5]}, "preprocessor_config"),
    ],
)
def test_a_config_that_cannot_be_applied_is_refused_with_the_file(tmp_path, config, said):
    with pytest.raises(Unavailable, match=said) as caught:
        Preprocessor(configured(tmp_path, config), "depth model", 64, CPU)
    assert "preprocessor_config.json" in str(caught.value)


def glpn() -> torch.nn.Module:
    from transformers import GLPNConfig, GLPNForDepthEstimation

    return GLPNForDepthEstimation(GLPNConfig(**SIZES, decoder_hidden_size=8))


def anything(kind: str) -> torch.nn.Module:
    from transformers import DepthAnythingConfig, DepthAnythingForDepthEstimation, Dinov2Config

    stages = ["stage1", "stage2", "stage3", "stage4"]
    backbone = Dinov2Config(hidden_size=16, num_hidden_layers=4, num_attention_heads=2, image_size=56, patch_size=14,
                            reshape_hidden_states=False, out_features=stages, apply_layernorm=True)  # fmt: skip
    sizes = {"reassemble_hidden_size": 16, "neck_hidden_sizes": [8] * 4, "fusion_hidden_size": 8, "head_hidden_size": 8}
    config = DepthAnythingConfig(backbone_config=backbone, **sizes, depth_estimation_type=kind, max_depth=20)
    net = DepthAnythingForDepthEstimation(config)
    with torch.no_grad():
        for weight in net.parameters():
            weight.mul_(8 if weight.ndim > 1 else 1)
        net.head.conv3.bias.fill_(0.1)
    return net


@pytest.mark.parametrize(
    ("make", "side", "sign"),
    [(glpn, 64, -1), (lambda: anything("metric"), 56, -1), (lambda: anything("relative"), 56, 1)],
)
def test_near_is_white_whatever_a_depth_model_measures(tmp_path, make, side, sign):
    torch.manual_seed(1)
    net = make().eval()
    net.save_pretrained(tmp_path)
    configured(tmp_path, {"size": {"height": side, "width": side}, "image_mean": [0.5] * 3, "image_std": [0.5] * 3})
    frame = smooth(3)
    with torch.inference_mode():
        depth = net(Preprocessor(tmp_path, "depth model", side, CPU)(frame)).predicted_depth[0].numpy()
    hint = Depth(str(tmp_path), CPU)(frame)[..., 0].astype(float)
    correlation = np.corrcoef(hint.ravel(), cv2.resize(depth, (64, 64)).ravel())[0, 1]
    assert sign * correlation > 0.95


def test_the_mask_of_people_is_the_one_of_the_librarys_processor(tmp_path):
    from transformers import SegformerConfig, SegformerForSemanticSegmentation
    from transformers.models.segformer.image_processing_pil_segformer import SegformerImageProcessorPil

    torch.manual_seed(0)
    labels = {"id2label": {0: "wall", 1: "person"}, "label2id": {"wall": 0, "person": 1}}
    net = SegformerForSemanticSegmentation(SegformerConfig(**SIZES, decoder_hidden_size=16, **labels)).eval()
    with torch.no_grad():
        for weight in net.parameters():
            weight.mul_(10 if weight.ndim > 1 else 1)
    net.save_pretrained(tmp_path)
    processor = SegformerImageProcessorPil(size={"height": 128, "width": 128})
    processor.save_pretrained(tmp_path)
    frame = smooth(5)
    ours = People(str(tmp_path), "cpu")(frame)
    with torch.inference_mode():
        logits = net(torch.from_numpy(np.stack(processor(images=frame)["pixel_values"]))).logits
    shares = torch.nn.functional.interpolate(logits.softmax(1)[:, 1:2], (64, 64), mode="bilinear")[0, 0].numpy()
    assert ((ours > 0.5) == (shares > 0.5)).mean() > 0.97
