"""LoRAs: every naming, any weight, live, and back to the very weights there were."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from sdstream.config.engine_settings import DiffusionSettings, LoraSettings
from sdstream.controls import Controls
from sdstream.engine.diffusion import DiffusionEngine
from sdstream.engine.lora import Loras
from sdstream.engine.models import Model, load
from sdstream.errors import Unavailable

LAYER = "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k"
TEXT = "text_model.encoder.layers.0.self_attn.q_proj"
CONVOLUTION = "conv_in"


def pair(out: int, into: int, seed: int = 0, rank: int = 4) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(seed)
    return torch.randn(rank, into, generator=random), torch.randn(out, rank, generator=random)


DOWN, UP = pair(16, 32)
TEXT_DOWN, TEXT_UP = pair(32, 32, seed=1)


def peft() -> dict[str, Tensor]:
    return {
        f"unet.{LAYER}.lora_A.weight": DOWN,
        f"unet.{LAYER}.lora_B.weight": UP,
        f"text_encoder.{TEXT}.lora_A.weight": TEXT_DOWN,
        f"text_encoder.{TEXT}.lora_B.weight": TEXT_UP,
    }


def kohya() -> dict[str, Tensor]:
    unet, text = f"lora_unet_{LAYER.replace('.', '_')}", f"lora_te_{TEXT.replace('.', '_')}"
    return {
        f"{unet}.lora_down.weight": DOWN,
        f"{unet}.lora_up.weight": UP * 2,
        f"{unet}.alpha": torch.tensor(2.0),
        f"{text}.lora_down.weight": TEXT_DOWN,
        f"{text}.lora_up.weight": TEXT_UP,
        f"{text}.alpha": torch.tensor(4.0),
    }


def diffusers_of_old() -> dict[str, Tensor]:
    unet = LAYER.replace("to_k", "processor.to_k_lora")
    return {
        f"unet.{unet}.down.weight": DOWN,
        f"unet.{unet}.up.weight": UP,
        f"text_encoder.{TEXT}.lora_linear_layer.down.weight": TEXT_DOWN,
        f"text_encoder.{TEXT}.lora_linear_layer.up.weight": TEXT_UP,
    }


@pytest.fixture
def model(tiny_model: Path) -> Model:
    return load(DiffusionSettings(model=str(tiny_model), device="cpu"))


def parts(model: Model) -> dict[str, object]:
    return {"unet": model.unet, **model.text.parts}


def saved(folder: Path, state: dict[str, Tensor], name: str = "lora") -> str:
    file = folder / f"{name}.safetensors"
    save_file({key: value.contiguous() for key, value in state.items()}, file)
    return str(file)


@pytest.mark.parametrize("naming", [peft, kohya, diffusers_of_old])
def test_a_lora_of_any_naming_changes_the_weights_as_it_says_and_gives_them_back(model, tmp_path, naming):
    loras = Loras(parts(model), {"a": LoraSettings(path=saved(tmp_path, naming()))})
    unet = model.unet.get_submodule(LAYER).weight
    text = model.text.parts["text_encoder"].get_submodule(TEXT.removeprefix("text_model.")).weight
    before, text_before = unet.clone(), text.clone()
    assert loras.set({"a": 0.7})
    torch.testing.assert_close(unet, before + 0.7 * UP @ DOWN)
    torch.testing.assert_close(text, text_before + 0.7 * TEXT_UP @ TEXT_DOWN)
    assert not loras.set({"a": 0.7})
    assert loras.set({})
    assert torch.equal(unet, before)
    assert torch.equal(text, text_before)


def test_convolutions_are_changed_too(model, tmp_path):
    random = torch.Generator().manual_seed(2)
    down, up = torch.randn(2, 4, 3, 3, generator=random), torch.randn(16, 2, 1, 1, generator=random)
    state = {f"unet.{CONVOLUTION}.lora_A.weight": down, f"unet.{CONVOLUTION}.lora_B.weight": up}
    weight = model.unet.conv_in.weight
    before = weight.clone()
    Loras(parts(model), {"a": LoraSettings(path=saved(tmp_path, state))}).set({"a": 1.0})
    x = torch.randn(1, 4, 8, 8, generator=random)
    expected = torch.nn.functional.conv2d(torch.nn.functional.conv2d(x, down, padding=1), up)
    torch.testing.assert_close(
        torch.nn.functional.conv2d(x, weight - before, padding=1), expected, atol=1e-4, rtol=1e-4
    )


def test_several_add_up_and_no_error_builds_up_over_a_thousand_changes(model, tmp_path):
    other_down, other_up = pair(16, 32, seed=5)
    second = {f"unet.{LAYER}.lora_A.weight": other_down, f"unet.{LAYER}.lora_B.weight": other_up}
    paths = {"a": saved(tmp_path, peft(), "a"), "b": saved(tmp_path, second, "b")}
    loras = Loras(parts(model), {name: LoraSettings(path=path) for name, path in paths.items()})
    weight = model.unet.get_submodule(LAYER).weight
    before = weight.clone()
    for k in range(1000):
        loras.set({"a": k / 100 - 5, "b": (k % 7) / 7})
    loras.set({"a": 0.5, "b": -1.0})
    torch.testing.assert_close(weight, before + 0.5 * UP @ DOWN - other_up @ other_down)
    loras.set({})
    assert torch.equal(weight, before)


def test_a_fused_lora_is_there_for_good_and_cannot_be_turned(model, tmp_path):
    before = model.unet.get_submodule(LAYER).weight.clone()
    loras = Loras(parts(model), {"lcm": LoraSettings(path=saved(tmp_path, peft()), fuse=True)})
    assert loras.names == ()
    torch.testing.assert_close(model.unet.get_submodule(LAYER).weight, before + UP @ DOWN)


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ({f"unet.{LAYER}.lora_A.weight": torch.ones(4, 99), f"unet.{LAYER}.lora_B.weight": UP}, "another base"),
        ({"unet.no.such.layer.lora_A.weight": DOWN, "unet.no.such.layer.lora_B.weight": UP}, "another base"),
        ({f"unet.{LAYER}.lora_A.weight": DOWN}, "cannot be read"),
        ({"something.else": DOWN}, "another base"),
    ],
)
def test_a_lora_for_another_base_is_refused_by_name(model, tmp_path, state, reason):
    with pytest.raises(Unavailable, match=reason) as caught:
        Loras(parts(model), {"wrong": LoraSettings(path=saved(tmp_path, state))})
    assert caught.value.exit_code == 69


def test_a_lora_that_is_a_pickle_or_cut_short_is_refused(model, tmp_path):
    pickle = tmp_path / "lora.bin"
    pickle.write_bytes(b"\x80\x04.")
    short = Path(saved(tmp_path, peft(), "short"))
    short.write_bytes(short.read_bytes()[:-7])
    for path in (pickle, short):
        with pytest.raises(Unavailable, match=path.name):
            Loras(parts(model), {"a": LoraSettings(path=str(path))})


@pytest.mark.parametrize("prompt_cache", [True, False])
def test_a_weight_turned_live_shows_at_once_and_a_steady_one_costs_nothing(tiny_model, tmp_path, prompt_cache):
    settings = DiffusionSettings(
        model=str(tiny_model), width=64, height=64, prompt_cache=prompt_cache,
        loras={"a": LoraSettings(path=saved(tmp_path, peft()))},
    )  # fmt: skip
    frame = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    with DiffusionEngine(settings) as engine:
        plain, strong, plain_again = (
            engine(frame, Controls(steps=(10,), guidance={"mode": "none"}, loras=loras))
            for loras in ({}, {"a": 3.0}, {"a": 0.0})
        )
    assert not np.array_equal(plain, strong)
    assert np.array_equal(plain, plain_again)
