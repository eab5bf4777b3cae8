"""Few-step models by their published names, as LoRA and as a whole U-Net, through the real loading path."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from sdstream.controls import Controls
from sdstream.engine.acceleration import open_model
from sdstream.engine.distillations import choose_sampling, recognise
from sdstream.errors import Unavailable
from tests.engine.pixel_engine import PixelEngine, feed, picture, settings
from tests.engine.tiny_model import make_tiny_model

EVEN_4 = (0.0, 12.5, 25.0, 37.5)


@pytest.mark.parametrize(
    ("name", "sampler", "steps", "eta", "prediction"),
    [
        ("ByteDance/SDXL-Lightning::sdxl_lightning_4step_lora.safetensors", "euler", EVEN_4, None, None),
        ("/models/sdxl_lightning_8step_unet.safetensors", "euler", tuple(6.25 * i for i in range(8)), None, None),
        ("sdxl_lightning_2step_unet.safetensors", "euler", (0.0, 25.0), None, None),
        ("sdxl_lightning_1step_unet_x0.safetensors", "euler", (0.0,), None, "sample"),
        ("Hyper-SDXL-1step-lora.safetensors", "tcd", (0.0,), 1.0, None),
        ("Hyper-SD15-1step-lora.safetensors", "tcd", (0.0,), 1.0, None),
        ("Hyper-SD15-4steps-lora.safetensors", "ddim", EVEN_4, None, None),
        ("Hyper-SDXL-2steps-lora.safetensors", "ddim", (0.0, 25.0), None, None),
        ("Hyper-SDXL-8steps-CFG-lora.safetensors", "ddim", tuple(6.25 * i for i in range(8)), None, None),
        ("Hyper-SDXL-1step-Unet.safetensors", "lcm", (9.95,), None, None),
        ("dmd2_sdxl_4step_unet_fp16.safetensors", "lcm", EVEN_4, None, None),
        ("tianweiy/DMD2::dmd2_sdxl_4step_lora_fp16.safetensors", "lcm", EVEN_4, None, None),
        ("dmd2_sdxl_1step_unet_fp16.safetensors", "lcm", (30.0,), None, None),
        ("h1t/TCD-SDXL-LoRA", "tcd", (0.0, 12.0, 25.0, 37.0), 0.3, None),
        ("h1t/TCD-SD15-LoRA/", "tcd", (0.0, 12.0, 25.0, 37.0), 0.3, None),
        ("pcm_sdxl_smallcfg_2step_converted.safetensors", "ddim", (0.0, 25.0), None, None),
        ("pcm_sd15_normalcfg_4step_converted.safetensors", "ddim", EVEN_4, None, None),
        ("pcm_sd15_lcmlike_lora_converted.safetensors", "lcm", (), None, None),
        ("latent-consistency/lcm-lora-sdv1-5", "lcm", (), None, None),
    ],
)
def test_a_published_file_has_the_sampler_of_its_model_card(name, sampler, steps, eta, prediction):
    found = recognise([name])
    assert found is not None
    assert (found.sampler, found.eta, found.prediction) == (sampler, eta, prediction)
    assert found.steps == pytest.approx(steps)


@pytest.mark.parametrize(
    "name",
    ["mini", "stabilityai/sd-turbo", "my-lightning-merge.safetensors", "hyperrealism.safetensors", "tcd.safetensors"],
)
def test_a_name_that_only_sounds_alike_is_no_distillation(name):
    assert recognise([name]) is None


def test_settings_go_before_the_name_of_the_file():
    chosen = choose_sampling(
        settings(Path("mini"), unet="sdxl_lightning_1step_unet_x0.safetensors", sampler="tcd", prediction="epsilon")
    )
    assert (chosen.choice.sampler, chosen.choice.eta, chosen.choice.spacing) == ("tcd", None, "trailing")
    assert chosen.fields == {"prediction_type": "epsilon"}


def test_the_file_of_a_repository_names_the_distillation():
    file = "sdxl_lightning_4step_lora.safetensors"
    chosen = choose_sampling(
        settings(Path("mini"), loras={"a": {"path": "ByteDance/SDXL-Lightning", "file": file, "fuse": True}})
    )
    assert (chosen.choice.sampler, chosen.steps) == ("euler", EVEN_4)


def own_unet(folder: Path, model: Path, name: str) -> Path:
    """Write the U-Net of another tiny model into a single file of diffusers' names."""
    other = make_tiny_model(folder / "other", seed=9, xl="text_encoder_2" in str(list(model.iterdir())))
    file = folder / name
    shutil.copy(next((other / "unet").glob("*.safetensors")), file)
    return file


@pytest.mark.parametrize("kind", ["tiny_model", "tiny_xl_model"])
def test_a_unet_in_a_file_takes_the_place_of_the_models_own(request, tmp_path, kind):
    base = request.getfixturevalue(kind)
    file = own_unet(tmp_path, base, "sdxl_lightning_1step_unet_x0.safetensors")
    model = open_model(settings(base, unet=str(file)))
    for name, tensor in load_file(file).items():
        assert torch.equal(model.unet.state_dict()[name], tensor)
    assert (model.table.sampler.name, model.table.prediction, model.trained_steps) == ("euler", "sample", (0.0,))


def test_a_unet_folder_keeps_its_own_config(tmp_path, tiny_model):
    other = make_tiny_model(tmp_path / "other", seed=9, mid_block_type=None)
    model = open_model(settings(tiny_model, unet=str(other)))
    assert model.unet.mid_block is None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda state: state.pop("conv_in.weight"), "expected the weight conv_in.weight"),
        (lambda state: state.update({"conv_in.weight": torch.zeros(16, 9, 3, 3)}), "conv_in.weight"),
        (lambda state: state.update({"more.weight": torch.zeros(1)}), "more.weight has no place"),
        (lambda state: state.update({"conv_in.bias": torch.full((16,), torch.nan)}), "NaN"),
        (lambda state: state.update({"model.diffusion_model.x": torch.zeros(1)}), "set engine.model"),
        (lambda state: state.update({"mid.lora_A.weight": torch.zeros(1)}), "is a LoRA"),
    ],
)
def test_a_unet_that_does_not_fit_is_refused_with_file_and_reason(tmp_path, tiny_model, change, reason):
    file = own_unet(tmp_path, tiny_model, "unet.safetensors")
    state = load_file(file)
    change(state)
    save_file(state, file)
    with pytest.raises(Unavailable, match=reason) as caught:
        open_model(settings(tiny_model, unet=str(file)))
    assert str(file) in str(caught.value)


def test_a_pickled_unet_is_refused(tmp_path, tiny_model):
    (tmp_path / "dmd2_sdxl_4step_unet_fp16.bin").write_bytes(b"x")
    with pytest.raises(Unavailable, match="pickle"):
        open_model(settings(tiny_model, unet=str(tmp_path / "dmd2_sdxl_4step_unet_fp16.bin")))


def test_a_fused_lora_counts_at_its_weight(tmp_path, tiny_model):
    name = "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"
    down, up = torch.randn(2, 16), torch.randn(16, 2)
    file = tmp_path / "Hyper-SD15-4steps-lora.safetensors"
    save_file({f"{name}.lora_A.weight": down, f"{name}.lora_B.weight": up}, file)
    lora = {"path": str(file), "fuse": True, "weight": 0.4}
    layer = name.removeprefix("unet.")
    plain = open_model(settings(tiny_model)).unet.get_submodule(layer).weight
    model = open_model(settings(tiny_model, loras={"hyper": lora}))
    torch.testing.assert_close(model.unet.get_submodule(layer).weight, plain + 0.4 * up @ down, atol=1e-5, rtol=0)
    assert model.table.sampler.name == "ddim"


TWO_CROSS = {
    "down_block_types": ("CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
}
ONE_LEVEL = {
    "block_out_channels": (16,),
    "down_block_types": ("CrossAttnDownBlock2D",),
    "up_block_types": ("CrossAttnUpBlock2D",),
}
SSD_1B = {"transformer_layers_per_block": [2, 4], "reverse_transformer_layers_per_block": [[4, 2, 1], [2, 1, 1]]}


@pytest.mark.parametrize(
    ("shape", "acceleration"),
    [
        pytest.param({"mid_block_type": None}, "eager", id="BK-SDM-Small and SDXS"),
        pytest.param({"mid_block_type": None} | ONE_LEVEL, "eager", id="fewer levels, as BK-SDM-Tiny"),
        pytest.param(TWO_CROSS | SSD_1B | {"layers_per_block": 2, "mid_block_type": None}, "eager", id="SSD-1B"),
        pytest.param(TWO_CROSS | {"layers_per_block": [1, 2]}, "eager", id="layers differ by level"),
        pytest.param({"only_cross_attention": True}, "eager", id="without self-attention"),
        pytest.param(
            TWO_CROSS | SSD_1B | {"layers_per_block": 2, "mid_block_type": None}, "openvino", id="in OpenVINO"
        ),
    ],
)
def test_a_pruned_unet_runs(tmp_path, shape, acceleration):
    pytest.importorskip("openvino")
    model = make_tiny_model(tmp_path / "model", **shape)
    with PixelEngine(settings(model, acceleration=acceleration)) as engine:
        output = feed(engine, [picture(1), picture(2)], Controls.model_validate({"similarity": "off"}))[-1]
    assert output is not None
    assert len(np.unique(output)) > 8


def edit_scheduler(model: Path, **fields: object) -> Path:
    file = model / "scheduler/scheduler_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | fields))
    return model


@pytest.mark.parametrize(
    ("sampler", "steps"),
    [("euler", [12.5, 25, 37.5]), ("tcd", [12, 25, 37]), ("ddim", [25]), ("euler_ancestral", [25, 37.5])],
)
def test_an_engine_batched_is_the_engine_in_sequence_with_every_sampler(tmp_path, tiny_model, sampler, steps):
    controls = Controls.model_validate({"steps": steps, "similarity": "off", "guidance": "self_negative"})
    pictures = [picture(k) for k in range(4)]
    outputs = []
    for batching in (True, False):
        chosen = settings(tiny_model, sampler=sampler, timestep_spacing="trailing", batching=batching)
        with PixelEngine(chosen) as engine:
            outputs.append([frame for frame in feed(engine, pictures, controls) if frame is not None] + engine.flush())
    assert len(outputs[0]) == len(outputs[1]) == 4
    for batched, alone in zip(*outputs, strict=True):
        assert int(np.abs(batched.astype(int) - alone.astype(int)).max()) <= 1


def test_steps_that_the_model_cannot_have_are_refused_before_air(tmp_path):
    model = edit_scheduler(make_tiny_model(tmp_path / "model"), _class_name="DDIMScheduler", clip_sample=False)
    with (
        PixelEngine(settings(model, sampler="ddim", timestep_spacing="leading")) as engine,
        pytest.raises(Unavailable, match=r"controls\.steps"),
    ):
        engine(picture(1), Controls.model_validate({"steps": [32, 49.9]}))
