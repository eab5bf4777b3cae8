"""Layers by the names of every trainer: kohya, LyCORIS, OneTrainer, ComfyUI, PEFT, and diffusers of any age."""

from pathlib import Path

import pytest
import torch
from accelerate import init_empty_weights
from diffusers import UNet2DConditionModel
from safetensors.torch import load_file
from torch import Tensor, nn

from sdstream.config.engine import DiffusionSettings, LoraSettings
from sdstream.engine.acceleration import open_model
from sdstream.engine.adapters.lora import fuse_loras
from sdstream.engine.adapters.lora_names import Layers
from sdstream.engine.weights.checkpoint_header import ARCHITECTURES
from sdstream.errors import Unavailable
from tests.engine.adapters.lora_files import DOWN, LAYER, TEXT, TEXT_DOWN, TEXT_UP, UP, saved
from tests.engine.original_layout import unet_names

SGM = "input_blocks.1.1.transformer_blocks.0.attn2.to_k"
OLD = LAYER.replace("to_k", "processor.to_k_lora")
OUT = LAYER.replace("to_k", "to_out.0")


def pair(down: str, up: str, of: tuple[Tensor, Tensor] = (DOWN, UP)) -> dict[str, Tensor]:
    return {down: of[0], up: of[1]}


def ends(name: str, of: tuple[Tensor, Tensor] = (DOWN, UP)) -> dict[str, Tensor]:
    return pair(f"{name}.lora_down.weight", f"{name}.lora_up.weight", of)


UNET = [
    pair(f"base_model.model.{LAYER}.lora_A.weight", f"base_model.model.{LAYER}.lora_B.weight"),
    pair(f"base_model.model.unet.{LAYER}.lora_A.weight", f"base_model.model.unet.{LAYER}.lora_B.weight"),
    pair(f"unet.{LAYER}.lora_A.default.weight", f"unet.{LAYER}.lora_B.default.weight"),
    pair(f"unet.{LAYER}.lora_A.default_0.weight", f"unet.{LAYER}.lora_B.default_0.weight"),
    pair(f"{LAYER}.lora_A.weight", f"{LAYER}.lora_B.weight"),
    pair(f"{OLD}.down.weight", f"{OLD}.up.weight"),
    pair(f"unet.{OLD}.down.weight", f"unet.{OLD}.up.weight"),
    pair(f"unet.{LAYER}.lora.down.weight", f"unet.{LAYER}.lora.up.weight"),
    ends(f"unet.{SGM}"),
    ends(f"diffusion_model.{SGM}"),
    ends(f"model.diffusion_model.{SGM}"),
    ends(f"diffusion_model.{LAYER}"),
    ends(f"lora_unet_{SGM.replace('.', '_')}"),
    ends(f"lora_unet_{LAYER.replace('.', '_')}"),
    ends(f"lycoris_{LAYER.replace('.', '_')}"),
    pair(f"diffusion_model.{SGM}.lora_A.weight", f"diffusion_model.{SGM}.lora_B.weight"),
]

SHORT = TEXT.replace("q_proj", "to_q_lora")
TEXTS = [
    pair(f"text_encoder.{TEXT}.lora_A.weight", f"text_encoder.{TEXT}.lora_B.weight", (TEXT_DOWN, TEXT_UP)),
    pair(f"base_model.model.{TEXT}.lora_A.weight", f"base_model.model.{TEXT}.lora_B.weight", (TEXT_DOWN, TEXT_UP)),
    pair(f"text_encoder.{SHORT}.down.weight", f"text_encoder.{SHORT}.up.weight", (TEXT_DOWN, TEXT_UP)),
    ends(f"lora_te_{TEXT.replace('.', '_')}", (TEXT_DOWN, TEXT_UP)),
    ends(f"lora_te1_{TEXT.replace('.', '_')}", (TEXT_DOWN, TEXT_UP)),
    ends(f"clip_l.{TEXT}", (TEXT_DOWN, TEXT_UP)),
    ends(f"text_encoders.clip_l.transformer.{TEXT}", (TEXT_DOWN, TEXT_UP)),
]


def change(folder: Path, state: dict[str, Tensor], tmp_path: Path, part: str, path: str) -> Tensor:
    """Return the change of a layer by the LoRA in `state`."""
    model = open_model(DiffusionSettings(model=str(folder), device="cpu"))
    parts = {"unet": model.unet, **model.text.parts}
    weight = dict(parts[part].named_parameters())[f"{path}.weight"]
    before = weight.clone()
    fuse_loras(parts, {"a": LoraSettings(path=saved(tmp_path, state), fuse=True)})
    return weight - before


@pytest.mark.parametrize("state", UNET, ids=lambda state: next(iter(state)))
def test_a_layer_of_the_unet_is_found_by_every_naming(tiny_model, tmp_path, state):
    torch.testing.assert_close(change(tiny_model, state, tmp_path, "unet", LAYER), UP @ DOWN, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("state", TEXTS, ids=lambda state: next(iter(state)))
def test_a_layer_of_the_text_encoder_is_found_by_every_naming(tiny_model, tmp_path, state):
    found = change(tiny_model, state, tmp_path, "text_encoder", TEXT.removeprefix("text_model."))
    torch.testing.assert_close(found, TEXT_UP @ TEXT_DOWN, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("prefix", ["lora_te2_", "text_encoder_2.", "clip_g."])
def test_the_second_text_encoder_has_its_own_prefix(tiny_xl_model, tmp_path, prefix):
    name = TEXT.replace(".", "_") if prefix.endswith("_") else TEXT
    state = ends(f"{prefix}{name}", (TEXT_DOWN, TEXT_UP))
    found = change(tiny_xl_model, state, tmp_path, "text_encoder_2", TEXT)
    torch.testing.assert_close(found, TEXT_UP @ TEXT_DOWN, atol=1e-5, rtol=1e-5)
    first = change(tiny_xl_model, state, tmp_path, "text_encoder", TEXT.removeprefix("text_model."))
    assert not first.any()


def test_a_name_that_fits_both_text_encoders_is_refused(tiny_xl_model, tmp_path):
    with pytest.raises(Unavailable, match=r"text_model\.encoder"):
        change(tiny_xl_model, ends(TEXT, (TEXT_DOWN, TEXT_UP)), tmp_path, "unet", LAYER)


def test_names_of_two_kinds_in_a_file_are_all_applied(tiny_model, tmp_path):
    """diffusers' converter drops one of the kinds."""
    state = ends(f"lora_unet_{SGM.replace('.', '_')}") | ends(
        f"lora_unet_{OUT.replace('.', '_')}", (torch.ones(4, 16), torch.ones(16, 4))
    )
    torch.testing.assert_close(change(tiny_model, state, tmp_path, "unet", LAYER), UP @ DOWN, atol=1e-5, rtol=1e-5)
    assert change(tiny_model, state, tmp_path, "unet", OUT).any()


def changeable(unet: nn.Module) -> list[str]:
    kinds = (nn.Linear, nn.Conv2d, nn.GroupNorm, nn.LayerNorm)
    return [name for name, layer in unet.named_modules() if isinstance(layer, kinds)]


@pytest.mark.parametrize("architecture", ["sd1", "sd2", "sdxl"])
def test_every_layer_of_a_real_unet_has_one_name_in_each_naming(architecture):
    config = UNet2DConditionModel.load_config(ARCHITECTURES / architecture / "unet")
    with init_empty_weights():
        unet = UNet2DConditionModel.from_config(config)
    layers, paths = Layers({"unet": unet}), changeable(unet)
    original = unet_names({f"{path}.weight": path for path in paths}, layers=unet.config.layers_per_block)
    by_path = {path: name.removesuffix(".weight") for name, path in original.items()}
    assert len(by_path) == len(paths)
    for names in (
        {path: f"unet.{path}" for path in paths},
        {path: f"lora_unet_{path.replace('.', '_')}" for path in paths},
        {path: f"diffusion_model.{by_path[path]}" for path in paths},
        {path: f"lora_unet_{by_path[path].replace('.', '_')}" for path in paths},
    ):
        assert {path: layers.find(name) for path, name in names.items()} == {path: f"unet.{path}" for path in paths}


@pytest.mark.parametrize("xl", [False, True])
def test_a_file_of_kohya_on_every_layer_gives_the_weights_of_diffusers(tiny_model, tiny_xl_model, tmp_path, xl):
    from diffusers.loaders import StableDiffusionXLLoraLoaderMixin as Loader

    folder = tiny_xl_model if xl else tiny_model
    theirs = UNet2DConditionModel.from_pretrained(folder / "unet")
    torch.manual_seed(0)
    state = {}
    # diffusers 0.42 knows add_embedding by the name of the original code only
    paths = [path for path in changeable(theirs) if "norm" not in path and "add_embedding" not in path]
    for path in paths:
        out, *into = theirs.get_submodule(path).weight.shape
        key = f"lora_unet_{path.replace('.', '_')}"
        state[f"{key}.lora_down.weight"] = 0.3 * torch.randn(2, *into)
        state[f"{key}.lora_up.weight"] = 0.3 * torch.randn(out, 2, *[1] * (len(into) - 1))
        state[f"{key}.alpha"] = torch.tensor(1.0)
    file = saved(tmp_path, state)
    named, alphas = Loader.lora_state_dict(file, unet_config=theirs.config)
    Loader.load_lora_into_unet(named, network_alphas=alphas, unet=theirs)
    theirs.fuse_lora()
    model = open_model(DiffusionSettings(model=str(folder), device="cpu"))
    fuse_loras({"unet": model.unet, **model.text.parts}, {"a": LoraSettings(path=file, fuse=True)})
    expected = {name.replace(".base_layer", ""): value for name, value in theirs.state_dict().items()}
    ours = model.unet.state_dict()
    torch.testing.assert_close(dict(ours), {name: expected[name] for name in ours}, atol=1e-5, rtol=1e-5)
    original = load_file(folder / "unet" / "diffusion_pytorch_model.safetensors")
    assert not any(torch.equal(ours[f"{path}.weight"], original[f"{path}.weight"]) for path in paths)
