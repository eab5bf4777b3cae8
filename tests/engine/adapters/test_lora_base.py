"""A refused LoRA names the LoRA, the file, and what the file is or both base models."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from sdstream.config.engine import LoraSettings
from sdstream.engine.acceleration import open_model
from sdstream.engine.adapters.lora import Loras
from sdstream.errors import Unavailable
from tests.engine.adapters.lora_files import DOWN, LAYER, TEXT, UP, peft, saved
from tests.engine.pixel_engine import settings

KOHYA = f"lora_unet_{LAYER.replace('.', '_')}"
SGM = "lora_unet_input_blocks_4_1_transformer_blocks_0_attn2_to_k"


def kohya(key: str, down: Tensor, up: Tensor) -> dict[str, Tensor]:
    return {f"{key}.lora_down.weight": down, f"{key}.lora_up.weight": up}


def refusal(folder: Path, tmp_path: Path, state: dict[str, Tensor], metadata: dict[str, str] | None = None) -> str:
    model = open_model(settings(folder))
    paths = {"nice": saved(tmp_path, peft(), "good"), "culprit": saved(tmp_path, state, "bad_one", metadata)}
    with pytest.raises(Unavailable) as caught:
        Loras({"unet": model.unet, **model.text.parts}, {name: LoraSettings(path=path) for name, path in paths.items()})
    message = str(caught.value)
    assert "LoRA 'culprit'" in message
    assert "bad_one.safetensors" in message
    return message


@pytest.mark.parametrize(
    ("width", "base"),
    [
        (768, "Stable Diffusion 1.x"),
        (1024, "Stable Diffusion 2.x"),
        (2048, "Stable Diffusion XL"),
        (99, "a model with prompts of 99 numbers a token"),
    ],
)
@pytest.mark.parametrize("key", [KOHYA, SGM, f"unet.{LAYER}"])
def test_a_lora_for_another_base_names_both_bases(tiny_model, tmp_path, key, width, base):
    message = refusal(tiny_model, tmp_path, kohya(key, torch.ones(4, width), torch.ones(16, 4)))
    assert f"the LoRA is for {base}," in message
    assert "this model is a model with prompts of 32 numbers a token" in message


def test_a_lora_for_a_second_text_encoder_is_for_sdxl(tiny_model, tmp_path):
    message = refusal(tiny_model, tmp_path, kohya(f"lora_te2_{TEXT.replace('.', '_')}", torch.ones(4, 32), UP))
    assert "Stable Diffusion XL" in message


def test_a_layer_that_is_missing_is_named_beside_the_base_of_the_header(tiny_model, tmp_path):
    state = kohya("lora_te_text_model_encoder_layers_11_mlp_fc1", torch.ones(4, 32), torch.ones(64, 4))
    message = refusal(tiny_model, tmp_path, state, {"ss_base_model_version": "sd_v1"})
    assert "the LoRA is for sd_v1" in message
    assert "layers_11_mlp_fc1" in message


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({f"{KOHYA}.weight": DOWN[0], f"{KOHYA}.on_input": torch.tensor(0)}, KOHYA),  # IA3
        ({f"{KOHYA}.a1.weight": DOWN, f"{KOHYA}.b1.weight": UP}, f"{KOHYA}.a1.weight"),  # GLoRA
        (kohya(KOHYA, DOWN, UP) | {"lora_unet_conv_norm_out.w_norm": torch.ones(16)}, "w_norm"),
        ({f"{KOHYA}.oft_blocks": DOWN}, f"{KOHYA}.oft_blocks"),
        ({"model.diffusion_model.input_blocks.0.0.bias": DOWN[0]}, "a U-Net: set engine.unet"),
        ({"model.diffusion_model.out.0.bias": DOWN[0], "cond_stage_model.a": DOWN[0]}, "a whole checkpoint"),
        ({"control_model.input_hint_block.0.weight": DOWN}, "a ControlNet"),
        ({"emb_params": DOWN}, "a textual inversion"),
        ({"clip_l": DOWN, "clip_g": UP}, "a textual inversion"),
        ({"image_proj.proj.weight": DOWN, "ip_adapter.1.to_k_ip.weight": UP}, "an IP-Adapter"),
    ],
)
def test_a_file_of_another_kind_is_called_what_it_is(tiny_model, tmp_path, state, said):
    message = refusal(tiny_model, tmp_path, state)
    assert said in message
    assert "base model" not in message
