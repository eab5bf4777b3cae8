"""Broken models: each is refused before going on air, with the file and the reason."""

import json
import shutil
import struct
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import pytest

from sdstream.config.engine import DiffusionSettings
from sdstream.engine.acceleration import open_model
from sdstream.engine.models import choose_device
from sdstream.engine.weights.files import check_safetensors, locate
from sdstream.errors import Unavailable

UNET = "unet/diffusion_pytorch_model.safetensors"
VAE = "vae/diffusion_pytorch_model.safetensors"
TEXT = "text_encoder/model.safetensors"


@pytest.fixture
def broken(tiny_model: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_model, tmp_path / "broken"))


def refusal(folder: Path, **settings: object) -> str:
    with pytest.raises(Unavailable) as caught:
        open_model(DiffusionSettings(model=str(folder), device="cpu", **settings))
    assert caught.value.exit_code == 69
    return str(caught.value)


@pytest.mark.parametrize(
    "path",
    [UNET, VAE, TEXT, "unet/config.json", "vae/config.json", "text_encoder/config.json",
     "scheduler/scheduler_config.json", "unet", "vae", "text_encoder", "tokenizer", "scheduler"],
)  # fmt: skip
def test_a_missing_file_or_folder_is_named(broken, path):
    target = broken / path
    shutil.rmtree(target) if target.is_dir() else target.unlink()
    assert path.split("/")[0] in refusal(broken)


@pytest.mark.parametrize("path", [UNET, VAE, TEXT])
@pytest.mark.parametrize("keep", [0, 5, 100, -1])
def test_a_truncated_file_is_named(broken, path, keep):
    target = broken / path
    target.write_bytes(target.read_bytes()[:keep])
    message = refusal(broken)
    assert str(target) in message
    assert "whole safetensors" in message


@pytest.mark.parametrize("path", ["unet/config.json", "vae/config.json", "text_encoder/config.json"])
@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 100_000])
def test_a_config_that_is_no_json_object_is_named(broken, path, text):
    (broken / path).write_text(text)
    assert path.split("/")[0] in refusal(broken)


def edit(file: Path, **changes: object) -> None:
    config = json.loads(file.read_text())
    file.write_text(json.dumps(config | changes))


@pytest.mark.parametrize(
    ("path", "changes", "said"),
    [
        ("unet/config.json", {"block_out_channels": [16, 64]}, "U-Net"),
        ("unet/config.json", {"layers_per_block": 2}, "U-Net"),
        ("unet/config.json", {"cross_attention_dim": 48}, "U-Net"),
        ("unet/config.json", {"down_block_types": ["NoSuchBlock", "DownBlock2D"]}, "U-Net"),
        ("unet/config.json", {"block_out_channels": "wide"}, "U-Net"),
        ("vae/config.json", {"latent_channels": 8}, "autoencoder"),
        ("text_encoder/config.json", {"hidden_size": 64}, "text encoder"),
        ("text_encoder/config.json", {"num_hidden_layers": 3}, "text encoder"),
        ("scheduler/scheduler_config.json", {"prediction_type": "flow"}, "prediction_type"),
    ],
)
def test_weights_that_do_not_fit_their_config_are_refused(broken, path, changes, said):
    edit(broken / path, **changes)
    assert said in refusal(broken)


def test_a_scheduler_of_another_kind_is_refused_with_model_and_class(broken):
    edit(broken / "scheduler/scheduler_config.json", _class_name="FlowMatchEulerDiscreteScheduler", shift=3.0)
    message = refusal(broken)
    assert str(broken) in message
    assert "FlowMatchEulerDiscreteScheduler" in message


def test_a_text_encoder_of_another_model_is_refused(broken, tiny_xl_model):
    for part in ("unet", "tokenizer"):
        shutil.rmtree(broken / part)
        shutil.copytree(tiny_xl_model / part, broken / part)
    assert "text_encoder_2" in refusal(broken)


def test_the_name_of_a_model_does_not_matter(tiny_model, tmp_path):
    copy = shutil.copytree(tiny_model, tmp_path / "sdxl-turbo-lcm-v-prediction")
    models = [open_model(DiffusionSettings(model=str(folder), device="cpu")) for folder in (tiny_model, copy)]
    assert models[0].table == models[1].table
    assert models[0].wants_size is models[1].wants_size is False


def test_no_weight_asks_for_gradients(tiny_model):
    model = open_model(DiffusionSettings(model=str(tiny_model), device="cpu"))
    parts = (model.unet, model.autoencoder, *model.text.parts.values())
    assert not any(weight.requires_grad for part in parts for weight in part.parameters())


@pytest.mark.parametrize("path", [UNET, VAE, TEXT])
def test_whole_numbers_are_no_weights(broken, path):
    from safetensors.torch import load_file, save_file

    state = load_file(broken / path)
    save_file({name: tensor.long() for name, tensor in state.items()}, broken / path)
    message = refusal(broken)
    assert path in message
    assert "I64" in message


@pytest.mark.parametrize("path", [UNET, VAE, TEXT])
@pytest.mark.parametrize(
    ("value", "dtype"), [("nan", "float32"), ("inf", "float32"), ("-inf", "bfloat16"), ("70000", "float16")]
)
def test_a_weight_that_is_not_finite_in_the_dtype_in_use_is_refused_by_name(broken, path, value, dtype):
    from safetensors.torch import load_file, save_file

    state = load_file(broken / path)
    name = next(name for name, tensor in state.items() if tensor.is_floating_point())
    state[name].view(-1)[0] = float(value)
    save_file(state, broken / path, metadata={"format": "pt"})
    message = refusal(broken, dtype=dtype)
    assert path.split("/")[0] in message
    assert name.removeprefix("text_model.") in message
    assert f"infinite numbers in {dtype}" in message


@pytest.mark.parametrize("path", [UNET, VAE, TEXT])
def test_weights_that_lie_over_each_other_are_refused(broken, path):
    content = (broken / path).read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    entries = json.loads(content[8 : 8 + length])
    sizes = {name: tuple(entry["shape"]) for name, entry in entries.items() if name != "__metadata__"}
    first, twin = next((a, b) for a, b in combinations(sizes, 2) if sizes[a] == sizes[b])
    entries[first]["data_offsets"] = entries[twin]["data_offsets"]
    (broken / path).write_bytes(header(json.dumps(entries).encode(), content[8 + length :]))
    assert path.split("/")[0] in refusal(broken)


@pytest.mark.parametrize("suffix", [".bin", ".ckpt", ".pt"])
def test_pickles_are_refused_unopened(broken, suffix):
    (broken / UNET).unlink()
    (broken / "unet" / f"diffusion_pytorch_model{suffix}").write_bytes(b"cos\nsystem\n(S'touch /tmp/pwned'\ntR.")
    assert "pickle" in refusal(broken)


def test_an_unknown_name_says_what_was_expected(tmp_path):
    assert "hub id" in refusal(tmp_path / "nowhere")


def test_a_hub_id_without_a_network_says_so(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(Unavailable, match="models pull some/thing"):
        locate("some/thing", "model")


def test_a_device_that_is_not_there_is_refused():
    with pytest.raises(Unavailable, match="cuda:7"):
        choose_device("cuda:7")


def test_full_is_refused_where_the_autoencoder_is_tiny(tiny_model):
    assert "autoencoder: full" in refusal(tiny_model, autoencoder="full")


def header(text: bytes, body: bytes = b"") -> bytes:
    return struct.pack("<Q", len(text)) + text + body


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff" * 8,
        struct.pack("<Q", 2**40) + b"{}",
        header(b"{"),
        header(b'{"a": 1}'),
        header(b'{"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}}', b"1234"),
        header(b'{"a": {"dtype": "F99", "shape": [1], "data_offsets": [0, 4]}}', b"1234"),
        header(b'{"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}', b"12345"),
        header(b'{"a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 0]}}', b"1234"),
        header(b'{"a": {"dtype": "F32", "shape": [-1], "data_offsets": [-4, 0]}}'),
        header(b"[" * 200_000),
    ],
)
def test_a_safetensors_header_that_lies_is_refused(tmp_path, content):
    file = tmp_path / "model.safetensors"
    file.write_bytes(content)
    with pytest.raises(Unavailable, match=r"model\.safetensors"):
        check_safetensors(file)


@pytest.fixture
def kl_model(broken: Path) -> Path:
    from diffusers import AutoencoderKL

    shutil.rmtree(broken / "vae")
    sizes = {"block_out_channels": (8, 8, 8, 8), "norm_num_groups": 4}
    blocks = {"down_block_types": ("DownEncoderBlock2D",) * 4, "up_block_types": ("UpDecoderBlock2D",) * 4}
    AutoencoderKL(**sizes, **blocks).save_pretrained(broken / "vae")
    return broken


def test_a_full_autoencoder_gives_its_mode_and_so_never_flickers(kl_model):
    import torch

    from sdstream.engine.autoencoder import Autoencoder

    autoencoder = Autoencoder(open_model(DiffusionSettings(model=str(kl_model), autoencoder="full")).autoencoder)
    picture = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        latents = [autoencoder.encode(picture) for _ in range(2)]
        assert autoencoder.decode(latents[0]).shape == (1, 3, 64, 64)
    assert torch.equal(*latents)
    assert autoencoder.factor == 8


@pytest.mark.parametrize(
    ("name", "neutral", "other"),
    [("latents_mean", [0.0] * 4, [0.1, 0, 0, 0]), ("latents_std", [1.0] * 4, [1, 1, 1, 2])],
)
def test_an_autoencoder_with_a_mean_or_deviation_of_the_latents_is_refused(kl_model, name, neutral, other):
    edit(kl_model / "vae/config.json", **{name: other})
    assert name in refusal(kl_model, autoencoder="full")
    edit(kl_model / "vae/config.json", **{name: neutral})
    assert open_model(DiffusionSettings(model=str(kl_model), autoencoder="full", device="cpu")).channels == 4


def test_the_tiny_autoencoder_may_come_from_elsewhere(kl_model, tiny_model):
    settings = DiffusionSettings(model=str(kl_model), tiny_autoencoder=str(tiny_model / "vae"))
    assert type(open_model(settings).autoencoder).__name__ == "AutoencoderTiny"


def test_without_a_tiny_autoencoder_or_a_network_the_way_out_is_named(kl_model):
    assert "madebyollin/taesd" in refusal(kl_model)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_number_formats_are_taken_over(tiny_model, dtype):
    model = open_model(DiffusionSettings(model=str(tiny_model), dtype=dtype, device="cpu"))
    assert str(model.unet.dtype) == str(model.autoencoder.dtype) == f"torch.{dtype}"


def quiet(load: Callable[[], object], capfd: pytest.CaptureFixture[str]) -> str:
    load()
    return capfd.readouterr().err


def test_loading_prints_no_progress_bar(tiny_model, capfd):
    assert "%|" not in quiet(lambda: open_model(DiffusionSettings(model=str(tiny_model), device="cpu")), capfd)
