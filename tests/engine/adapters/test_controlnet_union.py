"""ControlNet-Union runs by its control type, or is refused, as a folder and as a file; further classes are refused."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import ControlNetUnionModel, UNet2DConditionModel
from safetensors.torch import load_file, save_file

from sdstream.config.engine import ControlNetSettings
from sdstream.controls import Controls
from sdstream.engine.adapters.controlnet import ControlNets
from sdstream.errors import Unavailable
from tests.engine.pixel_engine import PixelEngine, picture, settings

SHARED = (
    "in_channels", "down_block_types", "block_out_channels", "layers_per_block", "norm_num_groups",
    "cross_attention_dim", "attention_head_dim", "addition_embed_type", "addition_time_embed_dim",
    "projection_class_embeddings_input_dim",
)  # fmt: skip
TYPES = [("openpose", 0), ("depth", 1), ("hed", 2), ("canny", 3), ("lineart", 3), ("normal", 4), ("tile", 6)]


@pytest.fixture(scope="module")
def unet(tiny_xl_model: Path) -> UNet2DConditionModel:
    return UNet2DConditionModel.from_pretrained(tiny_xl_model / "unet")


def union(unet: UNet2DConditionModel, folder: Path, types: int) -> Path:
    torch.manual_seed(2)
    shared = {key: unet.config[key] for key in SHARED}
    made = ControlNetUnionModel(**shared, num_control_type=types, num_trans_channel=16, num_proj_channel=16)
    with torch.no_grad():  # the published ones start at zero, which would show nothing
        for parameter in made.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    made.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def folder(unet: UNet2DConditionModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return union(unet, tmp_path_factory.mktemp("union"), 8)


def one_file(folder: Path) -> Path:
    return folder / "diffusion_pytorch_model.safetensors"


def nets(path: Path, condition: str, unet: UNet2DConditionModel) -> ControlNets:
    chosen = ControlNetSettings(model=str(path), condition=condition if condition in ("canny", "tile") else "canny")
    made = ControlNets({"a": chosen}, unet)
    made._conditions_of = (condition,)  # the residuals need no picture of the condition
    return made


@torch.inference_mode()
@pytest.mark.parametrize(("condition", "number"), TYPES)
@pytest.mark.parametrize("place", [lambda folder: folder, one_file], ids=["folder", "file"])
def test_the_residuals_are_the_librarys_for_the_control_type(unet, folder, condition, number, place):
    torch.manual_seed(0)
    call = {
        "sample": torch.randn(2, 4, 8, 8),
        "timestep": torch.tensor([500, 20]),
        "encoder_hidden_states": torch.randn(2, 77, 64),
        "added_cond_kwargs": {"text_embeds": torch.randn(2, 32), "time_ids": torch.ones(2, 6)},
    }
    hints = torch.rand(2, 1, 3, 64, 64)
    downs, middle = nets(place(folder), condition, unet).residuals(hints, [(0.5,), (1.0,)], **call)
    types = torch.nn.functional.one_hot(torch.tensor([number, number]), 8).float()
    theirs, own_middle = ControlNetUnionModel.from_pretrained(folder)(
        controlnet_cond=[hints[:, 0]], control_type=types, control_type_idx=[number], return_dict=False, **call
    )
    scale = torch.tensor([0.5, 1.0]).view(2, 1, 1, 1)
    torch.testing.assert_close(downs, [scale * down for down in theirs], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(middle, scale * own_middle, atol=1e-5, rtol=1e-5)


def test_a_union_paints_live_and_its_condition_matters(tiny_xl_model, folder):
    seen = []
    for condition in ("canny", "tile"):
        chosen = settings(tiny_xl_model, controlnets={"a": {"model": str(folder), "condition": condition}})
        with PixelEngine(chosen) as engine:
            seen.append(engine(picture(0), Controls(steps=(10,))))
    assert not np.array_equal(*seen)


@pytest.mark.parametrize("place", [lambda folder: folder, one_file], ids=["folder", "file"])
def test_a_union_without_a_type_for_the_condition_is_refused(unet, tmp_path, place):
    path = place(union(unet, tmp_path / "six", 6))
    with pytest.raises(Unavailable, match=r"'a'.*ControlNet-Union with 6 control types.* tile.*depth, .*canny"):
        nets(path, "tile", unet)


def test_the_class_of_the_author_is_a_union_too(unet, folder, tmp_path):
    named = Path(shutil.copytree(folder, tmp_path / "named"))
    rename(named, "ControlNetModel_Union")
    assert isinstance(nets(named, "canny", unet)._nets[0], ControlNetUnionModel)


def rename(folder: Path, name: str) -> None:
    config = folder / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"_class_name": name}))


@pytest.mark.parametrize("name", ["ControlNetXSAdapter", "FluxControlNetModel", "UNet2DConditionModel"])
def test_a_network_of_another_class_is_refused_by_the_class(unet, folder, tmp_path, name):
    other = Path(shutil.copytree(folder, tmp_path / "other"))
    rename(other, name)
    with pytest.raises(Unavailable, match=rf"'a'.*class {name}"):
        nets(other, "canny", unet)


def test_a_weight_without_a_place_in_a_folder_is_refused(unet, folder, tmp_path):
    other = Path(shutil.copytree(folder, tmp_path / "more"))
    save_file(load_file(one_file(other)) | {"lora_controlnet": torch.zeros(3)}, one_file(other), {"format": "pt"})
    with pytest.raises(Unavailable, match="unexpected keys: lora_controlnet"):
        nets(other, "canny", unet)
