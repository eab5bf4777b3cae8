"""A full autoencoder in a file of its own, by the names of diffusers and of the original code."""

import shutil
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL
from safetensors.torch import load_file, save_file
from torch import Tensor

from sdstream.engine.acceleration import open_model
from sdstream.engine.models import Model
from sdstream.errors import Unavailable
from tests.engine.original_layout import vae_names, write_single_file
from tests.engine.pixel_engine import settings
from tests.engine.tiny_model import with_full_autoencoder


@pytest.fixture(scope="module")
def base(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return with_full_autoencoder(Path(shutil.copytree(tiny_model, tmp_path_factory.mktemp("vae") / "base")))


@pytest.fixture(scope="module")
def other(base: Path) -> AutoencoderKL:
    torch.manual_seed(9)
    return AutoencoderKL.from_config(AutoencoderKL.load_config(base / "vae")).eval()


def state_of(vae: AutoencoderKL) -> dict[str, Tensor]:
    return {key: value.clone() for key, value in vae.state_dict().items()}


def original(vae: AutoencoderKL) -> dict[str, Tensor]:
    return {key: value.clone() for key, value in vae_names(state_of(vae), blocks=4).items()}


NAMINGS = {
    "diffusers": state_of,
    "original": original,
    "of a checkpoint": lambda vae: {f"first_stage_model.{key}": value for key, value in original(vae).items()},
    "with the training's": lambda vae: original(vae) | {"loss.logvar": torch.zeros(1)},
}


def opened(base: Path, vae: object) -> Model:
    return open_model(settings(base, vae=str(vae), autoencoder="full"))


@pytest.mark.parametrize("naming", NAMINGS)
@pytest.mark.parametrize("single", [False, True], ids=["base in a folder", "base in a file"])
def test_a_file_takes_the_place_of_the_models_own(base, other, tmp_path, naming, single):
    save_file(NAMINGS[naming](other), tmp_path / "vae.safetensors")
    model = base
    if single:
        model = write_single_file(base, tmp_path / "model" / "one.safetensors")
        for part in ("unet", "vae", "text_encoder", "tokenizer", "scheduler"):
            shutil.copytree(base / part, model.parent / part, ignore=shutil.ignore_patterns("*.safetensors"))
    found = opened(model, tmp_path / "vae.safetensors").autoencoder
    torch.testing.assert_close(dict(found.state_dict()), state_of(other), rtol=0, atol=0)
    assert not torch.equal(
        found.encoder.conv_in.weight, load_file(next((base / "vae").glob("*.safetensors")))["encoder.conv_in.weight"]
    )


def test_a_folder_takes_the_place_of_the_models_own(base, other, tmp_path):
    other.save_pretrained(tmp_path / "mine")
    torch.testing.assert_close(dict(opened(base, tmp_path / "mine").autoencoder.state_dict()), state_of(other))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda state: {**state, "decoder.more": torch.zeros(1)}, "decoder.more has no place"),
        (
            lambda state: {key: t for key, t in state.items() if key != "decoder.norm_out.bias"},
            "conv_norm_out.bias is missing",
        ),
        (lambda state: {**state, "encoder.conv_in.weight": torch.zeros(4, 3, 3, 3)}, r"encoder.conv_in.weight is \[4"),
        (lambda state: {**state, "encoder.conv_in.bias": torch.full((8,), torch.nan)}, "NaN"),
        (lambda _: {"encoder.layers.0.weight": torch.zeros(1)}, "is no full autoencoder"),
        (lambda state: state | {"model.diffusion_model.out.2.bias": torch.zeros(1)}, "whole checkpoint"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_with_the_weight(base, other, tmp_path, change, said):
    save_file(change(original(other)), tmp_path / "vae.safetensors")
    with pytest.raises(Unavailable, match=rf"vae\.safetensors.*{said}"):
        opened(base, tmp_path / "vae.safetensors")


def test_a_tiny_autoencoder_or_a_tiny_setting_is_refused(base, tiny_model, tmp_path):
    with pytest.raises(Unavailable, match="class AutoencoderTiny"):
        opened(base, tiny_model / "vae")
    with pytest.raises(Unavailable, match="set autoencoder to full"):
        open_model(settings(base, vae=str(base / "vae")))
    (tmp_path / "vae.ckpt").write_bytes(b"x")
    with pytest.raises(Unavailable, match="is a pickle"):
        opened(base, tmp_path / "vae.ckpt")
