"""ControlNets: conditions from the live frame, each frame keeps its own, scales live."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import ControlNetModel, UNet2DConditionModel
from safetensors.torch import load_file, save_file
from structlog.testing import capture_logs

from sdstream.config.engine import ControlNetSettings
from sdstream.controls import Controls
from sdstream.engine.adapters.controlnet import Depth, edges
from sdstream.engine.adapters.controlnet_file import load_controlnet
from sdstream.errors import Unavailable
from sdstream.frame import Pixels
from tests.engine.original_layout import controlnet_names
from tests.engine.pixel_engine import PixelEngine, settings


def picture(seed: int) -> Pixels:
    coarse = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    return np.ascontiguousarray(np.kron(coarse, np.ones((8, 8, 1), np.uint8)))


@pytest.fixture(scope="module")
def controlnet(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(1)
    net = ControlNetModel.from_unet(UNet2DConditionModel.from_pretrained(tiny_model / "unet"))
    with torch.no_grad():  # the published ones start at zero, which would show nothing
        for layer in [*net.controlnet_down_blocks, net.controlnet_mid_block, net.controlnet_cond_embedding.conv_out]:
            layer.weight.normal_(0, 0.5)
    folder = tmp_path_factory.mktemp("controlnet")
    net.save_pretrained(folder)
    return folder


def net(folder: Path, condition: str = "tile") -> ControlNetSettings:
    return ControlNetSettings(model=str(folder), condition=condition)


def test_edges_are_white_where_the_picture_changes_and_black_elsewhere():
    frame = np.zeros((64, 64, 3), np.uint8)
    frame[:, 32:] = 255
    drawn = edges(frame)
    assert drawn.shape == (64, 64, 3)
    assert drawn[:, 30:34].max() == 255
    assert drawn[:, :28].max() == drawn[:, 36:].max() == 0


def render(model: Path, nets: dict[str, ControlNetSettings], scales: dict[str, float]) -> Pixels | None:
    with PixelEngine(settings(model, controlnets=nets)) as engine:
        return engine(picture(0), Controls(steps=(10,), controlnets=scales))


@pytest.mark.parametrize("condition", ["tile", "canny"])
def test_the_scale_turns_a_controlnet_from_nothing_to_much(tiny_model, controlnet, condition):
    nets = {"a": net(controlnet, condition)}
    plain = render(tiny_model, {}, {})
    assert np.array_equal(render(tiny_model, nets, {"a": 0.0}), plain)
    half, whole = (render(tiny_model, nets, {"a": scale}).astype(int) for scale in (0.3, 1.0))
    assert 0 < np.abs(half - plain).sum() < np.abs(whole - plain).sum()
    assert np.array_equal(render(tiny_model, nets, {}), whole)


def test_a_controlnet_that_changes_the_dtype_of_auto_is_told(tiny_model, controlnet, monkeypatch):
    pytest.importorskip("openvino")
    monkeypatch.setattr("sdstream.engine.openvino.runtime.capabilities", lambda: ("FP32", "BF16"))
    chosen = settings(tiny_model, acceleration="auto", dtype="auto", controlnets={"a": net(controlnet)})
    with capture_logs() as logs, PixelEngine(chosen):
        pass
    (told,) = [log for log in logs if log["event"] == "ControlNets, LoRAs or IP-Adapters change the number format"]
    assert (told["dtype"], told["without"]) == ("float32", "bfloat16")
    assert "no ControlNets" in told["because"]


def test_two_controlnets_add_up(tiny_model, controlnet):
    both = render(tiny_model, {"a": net(controlnet), "b": net(controlnet)}, {"a": 0.5, "b": 0.25})
    one = render(tiny_model, {"a": net(controlnet)}, {"a": 0.75})
    assert np.abs(both.astype(int) - one.astype(int)).max() <= 1


@pytest.mark.parametrize("mode", ["none", "full", "onetime_negative"])
def test_a_frame_in_flight_keeps_its_own_condition_and_scale(tiny_model, controlnet, mode):
    shows = [
        Controls(
            steps=(10, 25, 40), controlnets={"a": 1.0 - k / 5}, guidance={"mode": mode}, similarity={"mode": "off"}
        )
        for k in range(5)
    ]
    chosen = settings(tiny_model, controlnets={"a": net(controlnet)})
    with PixelEngine(chosen) as engine:
        batched = [engine(picture(k), controls) for k, controls in enumerate(shows)][2:] + engine.flush()
    with PixelEngine(chosen.model_copy(update={"batching": False})) as engine:
        alone = [engine(picture(k), controls) for k, controls in enumerate(shows)]
    assert all(np.abs(a.astype(int) - b.astype(int)).max() <= 1 for a, b in zip(batched, alone, strict=True))


def test_a_controlnet_for_another_base_is_refused(tiny_xl_model, controlnet):
    chosen = settings(tiny_xl_model, controlnets={"a": net(controlnet)})
    with pytest.raises(Unavailable, match="different base"), PixelEngine(chosen):
        pass


@pytest.fixture(scope="module", params=["original", "bare original", "diffusers"])
def single_file(request: pytest.FixtureRequest, controlnet: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    state = load_file(next(controlnet.glob("*.safetensors")))
    if "original" in request.param:
        state = controlnet_names(state, layers=1)
    if "bare" in request.param:
        state = {key.removeprefix("control_model."): tensor for key, tensor in state.items()}
    file = tmp_path_factory.mktemp("single") / "edges.safetensors"
    save_file(state, file)
    return file


@pytest.fixture(scope="module")
def by_folder(tiny_model: Path, controlnet: Path) -> Pixels | None:
    return render(tiny_model, {"a": net(controlnet)}, {"a": 0.7})


def test_a_controlnet_in_one_file_paints_what_its_folder_paints(tiny_model, by_folder, single_file):
    assert by_folder is not None
    assert np.array_equal(render(tiny_model, {"a": net(single_file)}, {"a": 0.7}), by_folder)


def unet_of(model: Path) -> UNet2DConditionModel:
    return UNet2DConditionModel.from_pretrained(model / "unet")


def test_a_controlnet_in_one_file_for_another_base_is_refused(tiny_xl_model, single_file):
    with pytest.raises(
        Unavailable, match=r"edges\.safetensors was made for a different base model: the ControlNet reads prompts of"
    ):
        load_controlnet("a", single_file, unet_of(tiny_xl_model), "canny")


def without(state: dict[str, torch.Tensor], part: str) -> dict[str, torch.Tensor]:
    return {key: tensor for key, tensor in state.items() if part not in key}


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda state: without(state, "middle_block_out"), r"controlnet_mid_block\.\w+ is missing"),
        (lambda state: without(state, "zero_convs.1."), r"controlnet_down_blocks\.1\.\w+ is missing"),
        (lambda state: without(state, "input_hint_block.0."), "is no ControlNet"),
        (lambda state: {**state, "control_model.zero_convs.0.0.bias": torch.zeros(3)}, r"controlnet_down_blocks\.0"),
        (lambda state: {**state, "control_model.lora_controlnet": torch.zeros(3)}, "lora_controlnet has no place in a"),
    ],
)
def test_a_file_that_is_not_whole_is_refused_with_the_weight(tiny_model, controlnet, tmp_path, spoil, reason):
    file = tmp_path / "spoilt.safetensors"
    save_file(spoil(controlnet_names(load_file(next(controlnet.glob("*.safetensors"))), layers=1)), file)
    with pytest.raises(Unavailable, match=rf"ControlNet 'a': .*spoilt\.safetensors.*{reason}"):
        load_controlnet("a", file, unet_of(tiny_model), "canny")


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("control_v11p_sd15_canny.pth", b"\x80\x02}q\x00.", "is a pickle"),
        ("cut.safetensors", b"\xff" * 40, r"cut\.safetensors"),
    ],
)
def test_a_pickled_or_a_broken_controlnet_is_refused(tiny_model, tmp_path, name, content, reason):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(Unavailable, match=reason):
        load_controlnet("a", tmp_path / name, unet_of(tiny_model), "canny")


def test_an_xl_controlnet_by_the_original_names_has_all_of_its_weights(tiny_xl_model, tmp_path):
    unet = unet_of(tiny_xl_model)
    made = ControlNetModel.from_unet(unet)
    file = tmp_path / "xl.safetensors"
    state = {key: tensor.contiguous() for key, tensor in made.state_dict().items()}
    save_file(controlnet_names(state, layers=unet.config.layers_per_block), file)
    loaded = load_controlnet("a", file, unet, "canny")
    torch.testing.assert_close(dict(loaded.state_dict()), dict(made.state_dict()), rtol=0, atol=0)


def test_an_unknown_name_in_the_controls_is_refused(tiny_model, controlnet):
    with (
        PixelEngine(settings(tiny_model, controlnets={"a": net(controlnet)})) as engine,
        pytest.raises(Unavailable, match=r"engine\.controlnets has: a"),
    ):
        engine(picture(0), Controls(controlnets={"b": 1.0}))


def test_depth_needs_a_model(tiny_model, controlnet):
    chosen = settings(tiny_model, controlnets={"a": net(controlnet, "depth")})
    with pytest.raises(Unavailable, match="depth_model"), PixelEngine(chosen):
        pass


@pytest.fixture(scope="module")
def depth_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from transformers import GLPNConfig, GLPNForDepthEstimation

    folder = tmp_path_factory.mktemp("depth")
    sizes = {"hidden_sizes": [8, 8, 8, 8], "depths": [1, 1, 1, 1], "num_attention_heads": [1, 1, 1, 1]}
    GLPNForDepthEstimation(GLPNConfig(**sizes, decoder_hidden_size=8)).save_pretrained(folder)
    return folder


def test_depth_fills_the_whole_range(depth_model):
    import torch

    depth = Depth(str(depth_model), torch.device("cpu"))(picture(0))
    assert depth.shape == (64, 64, 3)
    assert (depth.min(), depth.max()) == (0, 255)


@pytest.mark.parametrize("size", [64, {"height": 64, "width": 96}, {"shortest_edge": 64}])
def test_depth_models_of_any_age_tell_their_size(depth_model, tmp_path, size):
    import json

    import torch

    folder = Path(shutil.copytree(depth_model, tmp_path / "depth"))
    (folder / "preprocessor_config.json").write_text(json.dumps({"size": size}))
    assert Depth(str(folder), torch.device("cpu"))(picture(0)).shape == (64, 64, 3)


def test_a_depth_model_whose_preprocessor_makes_no_sense_is_refused(depth_model, tmp_path):
    import torch

    folder = Path(shutil.copytree(depth_model, tmp_path / "depth"))
    (folder / "preprocessor_config.json").write_text('{"size": {"height": "tall"}}')
    with pytest.raises(Unavailable, match=r"preprocessor_config\.json"):
        Depth(str(folder), torch.device("cpu"))
