"""LoRAs with rank and alpha in the file's header: as strong as the library's own, or refused by name."""

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor

from sdstream.config.engine import DiffusionSettings, LoraSettings
from sdstream.engine.acceleration import open_model
from sdstream.engine.adapters import lora_header
from sdstream.engine.adapters.lora import fuse_loras
from sdstream.errors import Unavailable
from tests.engine.adapters.lora_files import DOWN, LAYER, TEXT, UP, peft, saved

UNET_ONLY = {key: value for key, value in peft().items() if key.startswith("unet.")}


def header(part: str = "unet", **fields: object) -> dict[str, str]:
    config = {"peft_type": "LORA", "r": 4, "lora_alpha": 4, "target_modules": [LAYER], "bias": "none"} | fields
    return {"format": "pt", "lora_adapter_metadata": json.dumps({f"{part}.{key}": v for key, v in config.items()})}


def change(folder: Path, file: str, layer: str = LAYER) -> Tensor:
    model = open_model(DiffusionSettings(model=str(folder), device="cpu"))
    weight = model.unet.get_submodule(layer).weight
    before = weight.clone()
    fuse_loras({"unet": model.unet, **model.text.parts}, {"a": LoraSettings(path=file, fuse=True)})
    return weight - before


FIELDS = [
    ({"lora_alpha": 1}, 0.25),
    ({"lora_alpha": 16}, 4.0),
    ({"lora_alpha": 4, "use_rslora": True}, 2.0),
    ({"alpha_pattern": {LAYER: 2}}, 0.5),
    ({"alpha_pattern": {"attn2.to_q": 9, "attn2.to_k": 2}, "use_rslora": True}, 1.0),
    ({"alpha_pattern": {"o_k": 2}}, 1.0),
    ({"r": 8, "lora_alpha": 8, "rank_pattern": {"to_k": 4}}, 2.0),
]


@pytest.mark.parametrize(("fields", "factor"), FIELDS)
def test_rank_and_alpha_of_the_header_set_the_strength(tiny_model, tmp_path, fields, factor):
    file = saved(tmp_path, UNET_ONLY, metadata=header(**fields))
    torch.testing.assert_close(change(tiny_model, file), factor * UP @ DOWN, atol=1e-5, rtol=1e-5)


@pytest.mark.filterwarnings("ignore:The following alpha_pattern keys did not match:RuntimeWarning")  # as meant
@pytest.mark.parametrize(("fields", "factor"), FIELDS)
def test_the_strength_is_the_librarys_own(tiny_model, tmp_path, fields, factor):
    pytest.importorskip("peft")
    from diffusers import UNet2DConditionModel
    from diffusers.loaders import StableDiffusionXLLoraLoaderMixin as Loader

    file = saved(tmp_path, UNET_ONLY, metadata=header(**fields))
    unet = UNet2DConditionModel.from_pretrained(tiny_model / "unet")
    before = unet.get_submodule(LAYER).weight.detach().clone()
    state, alphas, metadata = Loader.lora_state_dict(file, return_lora_metadata=True)
    Loader.load_lora_into_unet(state, network_alphas=alphas, unet=unet, metadata=metadata)
    unet.fuse_lora()
    theirs = unet.get_submodule(f"{LAYER}.base_layer").weight.detach() - before
    torch.testing.assert_close(change(tiny_model, file), theirs, atol=1e-5, rtol=1e-5)


def test_a_header_for_one_part_leaves_further_parts_alone(tiny_model, tmp_path):
    file = saved(tmp_path, peft(), metadata=header("text_encoder", lora_alpha=1))
    torch.testing.assert_close(change(tiny_model, file), UP @ DOWN, atol=1e-5, rtol=1e-5)


def test_an_alpha_beside_a_pair_of_any_naming_is_applied(tiny_model, tmp_path):
    file = saved(tmp_path, UNET_ONLY | {f"unet.{LAYER}.alpha": torch.tensor(2.0)})
    torch.testing.assert_close(change(tiny_model, file), 0.5 * UP @ DOWN, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"use_dora": True}, "use_dora"),
        ({"lora_bias": True}, "lora_bias"),
        ({"bias": "all"}, "bias"),
        ({"peft_type": "LOHA"}, "peft_type"),
        ({"init_lora_weights": "pissa"}, "init_lora_weights"),
        ({"modules_to_save": ["conv_in"]}, "modules_to_save"),
        ({"layer_replication": [[0, 1]]}, "layer_replication"),
        ({"some_field_of_tomorrow": 3}, "some_field_of_tomorrow"),
        ({"r": 8}, "rank 8"),
        ({"lora_alpha": float("nan")}, "alpha nan"),
        ({"lora_alpha": "strong"}, "strong"),
        ({"alpha_pattern": {"(": 2}}, "pattern"),
    ],
)
def test_a_field_that_cannot_be_applied_is_refused_by_name(tiny_model, tmp_path, fields, said):
    file = saved(tmp_path, UNET_ONLY, metadata=header(**fields))
    with pytest.raises(Unavailable, match=said) as caught:
        change(tiny_model, file)
    assert file in str(caught.value)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({f"unet.{LAYER}.lora_B.bias": UP[:, 0]}, "lora_B.bias"),
        ({f"text_encoder.{TEXT}.weight": DOWN.clone()}, "q_proj.weight"),
        ({f"unet.{LAYER}.alpha": torch.tensor(float("inf"))}, "alpha has NaN or infinite"),
        ({"unet.conv_out.alpha": torch.tensor(1.0)}, "conv_out"),
    ],
)
def test_a_tensor_that_cannot_be_applied_is_refused_by_name(tiny_model, tmp_path, more, said):
    with pytest.raises(Unavailable, match=said):
        change(tiny_model, saved(tmp_path, UNET_ONLY | more))


def test_an_alpha_as_tensor_and_in_the_header_is_refused(tiny_model, tmp_path):
    state = UNET_ONLY | {f"unet.{LAYER}.alpha": torch.tensor(2.0)}
    with pytest.raises(Unavailable, match="single alpha"):
        change(tiny_model, saved(tmp_path, state, metadata=header()))


@pytest.mark.parametrize("pattern", ["(a+)+$", ".*.*.*x", "(.*)*", r"(a)\1", "x{1,9}y{2,9}z{3,9}", "a" * 600, "(?=a)"])
def test_a_pattern_that_may_take_hours_is_refused(pattern: str):
    with pytest.raises(ValueError, match="may take hours to match"):
        lora_header._of_module({"rank_pattern": {pattern: 4}}, "rank_pattern", "a" * 60, 4)


def test_a_pattern_as_people_write_it_is_taken():
    fields = {"rank_pattern": {"attn1|attn2": 2, r"^down\.\d+\..*to_[qk]": 8}}
    assert lora_header._of_module(fields, "rank_pattern", "down.0.attentions.0.to_q", 4) == 8
