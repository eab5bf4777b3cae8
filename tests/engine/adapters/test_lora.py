"""LoRAs: every naming, any weight, live, and back to the very weights there were."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from sdstream.config.engine import DiffusionSettings, LoraSettings
from sdstream.controls import Controls
from sdstream.engine.acceleration import open_model
from sdstream.engine.adapters.lora import Loras, fuse_loras
from sdstream.engine.models import Model
from sdstream.errors import Unavailable
from tests.engine.adapters.lora_files import (
    CONVOLUTION,
    DOWN,
    LAYER,
    LAYERS,
    TEXT,
    TEXT_DOWN,
    TEXT_UP,
    UP,
    everywhere,
    pair,
    peft,
    saved,
)  # fmt: skip
from tests.engine.pixel_engine import ALWAYS, PixelEngine, assert_each_alike, picture, settings


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
    return open_model(DiffusionSettings(model=str(tiny_model), device="cpu"))


def parts(model: Model) -> dict[str, object]:
    return {"unet": model.unet, **model.text.parts}


@pytest.mark.parametrize("naming", [peft, kohya, diffusers_of_old])
def test_a_lora_of_any_naming_changes_the_weights_as_it_says_and_gives_them_back(model, tmp_path, naming):
    loras = Loras(parts(model), {"a": LoraSettings(path=saved(tmp_path, naming()))})
    unet = model.unet.get_submodule(LAYER).weight
    text = model.text.parts["text_encoder"].get_submodule(TEXT.removeprefix("text_model.")).weight
    before, text_before = unet.clone(), text.clone()
    assert loras.encode_with((0.7,))
    loras.fuse_if_uniform([(0.7,)] * 3)
    torch.testing.assert_close(unet, before + 0.7 * UP @ DOWN)
    torch.testing.assert_close(text, text_before + 0.7 * TEXT_UP @ TEXT_DOWN)
    assert not loras.encode_with((0.7,))
    assert loras.encode_with((0.0,))
    loras.fuse_if_uniform([(0.0,)])
    assert torch.equal(unet, before)
    assert torch.equal(text, text_before)


def test_convolutions_are_changed_too(model, tmp_path):
    random = torch.Generator().manual_seed(2)
    down, up = torch.randn(2, 4, 3, 3, generator=random), torch.randn(16, 2, 1, 1, generator=random)
    state = {f"unet.{CONVOLUTION}.lora_A.weight": down, f"unet.{CONVOLUTION}.lora_B.weight": up}
    before = model.unet.conv_in.weight.clone()
    Loras(parts(model), {"a": LoraSettings(path=saved(tmp_path, state))}).fuse_if_uniform([(1.0,)])
    weight = model.unet.conv_in.weight
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
        loras.fuse_if_uniform([(k / 100 - 5, (k % 7) / 7)])
    loras.fuse_if_uniform([(0.5, -1.0)])
    torch.testing.assert_close(weight, before + 0.5 * UP @ DOWN - other_up @ other_down)
    loras.fuse_if_uniform([(0.0, 0.0)])
    assert torch.equal(weight, before)


def test_a_fused_lora_is_there_for_good_and_cannot_be_turned(model, tmp_path):
    before = model.unet.get_submodule(LAYER).weight.clone()
    chosen = {"lcm": LoraSettings(path=saved(tmp_path, peft()), fuse=True)}
    fuse_loras(parts(model), chosen)
    assert Loras(parts(model), chosen).names == ()
    torch.testing.assert_close(model.unet.get_submodule(LAYER).weight, before + UP @ DOWN)


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ({f"unet.{LAYER}.lora_A.weight": torch.ones(4, 99), f"unet.{LAYER}.lora_B.weight": UP}, "different base"),
        ({"unet.no.such.layer.lora_A.weight": DOWN, "unet.no.such.layer.lora_B.weight": UP}, "different base"),
        ({f"unet.{LAYER}.lora_A.weight": DOWN}, "half of the pair"),
        ({"something.else": DOWN}, "something.else"),
        ({f"unet.{LAYER}.lora_A.weight": DOWN * float("nan"), f"unet.{LAYER}.lora_B.weight": UP}, "to_k down has NaN"),
        ({f"unet.{LAYER}.lora_A.weight": DOWN, f"unet.{LAYER}.lora_B.weight": UP / 0}, "to_k up has NaN or infinite"),
        ({f"unet.{LAYER}.lora_A.weight": DOWN, f"unet.{LAYER}.lora_B.weight": UP[:, :3]}, "different base"),
        (kohya() | {f"lora_unet_{LAYER.replace('.', '_')}.oft_blocks": UP}, "oft_blocks"),
        ({f"lora_unet_{LAYER.replace('.', '_')}.hada_w1_a": UP}, "LoHa"),
    ],
)
def test_a_lora_for_another_base_is_refused_by_name(model, tmp_path, state, reason):
    with pytest.raises(Unavailable, match=reason) as caught:
        Loras(parts(model), {"wrong": LoraSettings(path=saved(tmp_path, state))})
    assert caught.value.exit_code == 69


def test_a_lora_that_is_a_pickle_is_refused(model, tmp_path):
    pickle = tmp_path / "lora.bin"
    pickle.write_bytes(b"\x80\x04.")
    with pytest.raises(Unavailable, match=pickle.name):
        Loras(parts(model), {"a": LoraSettings(path=str(pickle))})


def test_a_lora_that_is_cut_short_is_refused(model, tmp_path):
    short = Path(saved(tmp_path, peft(), "short"))
    short.write_bytes(short.read_bytes()[:-7])
    with pytest.raises(Unavailable, match=short.name):
        Loras(parts(model), {"a": LoraSettings(path=str(short))})


@pytest.mark.parametrize("prompt_cache", [True, False])
@pytest.mark.parametrize("mode", ["none", "full", "onetime_negative"])
def test_a_frame_in_flight_keeps_the_lora_weights_of_its_entry(model, tiny_model, tmp_path, mode, prompt_cache):
    paths = {name: saved(tmp_path, everywhere(model.unet, seed), name) for seed, name in enumerate("ab")}
    chosen = settings(
        tiny_model, prompt_cache=prompt_cache, loras={name: {"path": path} for name, path in paths.items()}
    )
    weights = [{}, {"a": 0.8}, {"a": 0.8, "b": -0.5}, {"b": 1.0}, {"b": 1.0}, {"b": 1.0}, {"b": 1.0}, {"a": 0.3}, {}]
    shows = [
        Controls(prompt="oil", steps=(10, 25, 40), loras=loras, guidance={"mode": mode, "scale": 1.6}, **ALWAYS)
        for loras in weights
    ]
    with PixelEngine(chosen) as engine:
        batched = [engine(picture(k), controls) for k, controls in enumerate(shows)][2:] + engine.flush()
    with PixelEngine(chosen.model_copy(update={"batching": False})) as engine:
        alone = [engine(picture(k), controls) for k, controls in enumerate(shows)]
    assert_each_alike(batched, alone)
    assert np.abs(alone[0].astype(int) - alone[1].astype(int)).max() > 3


@torch.inference_mode()
@pytest.mark.parametrize("layer", LAYERS)
def test_rows_that_want_different_weights_get_theirs_and_no_layer_is_rewritten(model, tmp_path, layer):
    loras = Loras(parts(model), {"a": LoraSettings(path=saved(tmp_path, everywhere(model.unet, 0)))})
    loras.attach(model.unet)
    module = model.unet.get_submodule(layer)
    x = torch.randn(3, module.weight.shape[1], *[8] * (module.weight.ndim - 2))
    fused = []
    for weight in (0.0, 0.5, 1.0):
        loras.fuse_if_uniform([(weight,)] * 3)
        loras.set_rows([(weight,)] * 3)
        assert loras.difference is None
        fused.append(module(x))
    before = module.weight.clone()
    rows = [(0.0,), (0.5,), (1.0,)]
    loras.fuse_if_uniform(rows)
    loras.set_rows(rows)
    torch.testing.assert_close(module(x), torch.stack([fused[row][row] for row in range(3)]), atol=1e-5, rtol=1e-5)
    assert torch.equal(module.weight, before)


@pytest.mark.parametrize("prompt_cache", [True, False])
def test_a_weight_turned_live_shows_at_once_and_a_steady_one_costs_nothing(tiny_model, tmp_path, prompt_cache):
    chosen = settings(tiny_model, prompt_cache=prompt_cache, loras={"a": {"path": saved(tmp_path, peft())}})
    frame = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    with PixelEngine(chosen) as engine:
        plain, strong, plain_again = (
            engine(frame, Controls(steps=(10,), guidance={"mode": "none"}, loras=loras))
            for loras in ({}, {"a": 3.0}, {"a": 0.0})
        )
    assert not np.array_equal(plain, strong)
    assert np.array_equal(plain, plain_again)
