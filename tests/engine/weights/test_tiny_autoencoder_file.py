"""A tiny autoencoder without a config is the one of the folder with a config."""

import shutil
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderTiny
from safetensors.torch import load_file, save_file
from torch import Tensor

from sdstream.engine.acceleration import open_model
from sdstream.engine.weights.tiny_autoencoder_file import load_tiny_autoencoder
from sdstream.errors import Unavailable
from tests.engine.pixel_engine import settings

HALVES = ("encoder", "decoder")


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> AutoencoderTiny:
    torch.manual_seed(0)
    sizes = {"encoder_block_out_channels": (8,) * 4, "decoder_block_out_channels": (8,) * 4}
    return AutoencoderTiny(**sizes, num_encoder_blocks=(1, 2, 2, 3), num_decoder_blocks=(3, 2, 2, 1)).eval()


def halves(original: AutoencoderTiny, *, shifted: bool) -> dict[str, dict[str, Tensor]]:
    """The weights as the author names them: the decoder's first layer, without weights, counts."""

    def name(key: str, half: str) -> str:
        index, _, rest = key.removeprefix(f"{half}.layers.").partition(".")
        return f"{int(index) + (shifted and half == 'decoder')}.{rest}"

    state = original.state_dict()
    return {half: {name(key, half): state[key] for key in state if key.startswith(half)} for half in HALVES}


def pair(folder: Path, original: AutoencoderTiny, *, shifted: bool = True, name: str = "taesd") -> Path:
    folder.mkdir(exist_ok=True)
    for half, state in halves(original, shifted=shifted).items():
        save_file(state, folder / f"{name}_{half}.safetensors")
    return folder


def joined(file: Path, original: AutoencoderTiny, template: str) -> Path:
    state = halves(original, shifted=True)
    save_file({f"{template.format(half)}{key}": state[half][key] for half in HALVES for key in state[half]}, file)
    return file


def assert_alike(path: Path, original: AutoencoderTiny) -> None:
    found = load_tiny_autoencoder(path, torch.float32)
    picture = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        latents = original.encode(picture).latents
        assert torch.equal(found.encode(picture).latents, latents)
        assert torch.equal(found.decode(latents).sample, original.decode(latents).sample)


@pytest.mark.parametrize("shifted", [True, False])
@pytest.mark.parametrize("named", ["", "taesd_decoder.safetensors", "taesd_encoder.safetensors"])
def test_the_authors_pair_of_files_is_the_librarys_autoencoder(tmp_path, original, shifted, named):
    assert_alike(pair(tmp_path / "approx", original, shifted=shifted) / named, original)


@pytest.mark.parametrize("template", ["{}.", "taesd_{}."])
def test_a_single_file_with_both_halves_is_the_librarys_autoencoder(tmp_path, original, template):
    assert_alike(joined(tmp_path / "taesd.safetensors", original, template), original)


@pytest.mark.parametrize("beside", [True, False])
def test_the_librarys_own_file_loads_with_and_without_a_config_beside_the_file(tmp_path, original, beside):
    original.save_pretrained(tmp_path)
    if not beside:
        (tmp_path / "config.json").unlink()
    assert_alike(tmp_path / "diffusion_pytorch_model.safetensors", original)


def test_a_config_beside_the_file_is_applied(tmp_path, original):
    AutoencoderTiny.from_config(original.config, scaling_factor=0.5).save_pretrained(tmp_path)
    found = load_tiny_autoencoder(tmp_path / "diffusion_pytorch_model.safetensors", torch.float32)
    assert found.config.scaling_factor == 0.5


def test_the_setting_takes_the_pair_for_a_whole_model(tiny_model, tmp_path, original):
    folder = pair(tmp_path / "approx", original)
    found = open_model(settings(tiny_model, tiny_autoencoder=str(folder / "taesd_decoder.safetensors"))).autoencoder
    torch.testing.assert_close(dict(found.state_dict()), dict(original.state_dict()), atol=0, rtol=0)


def refusal(path: Path) -> str:
    with pytest.raises(Unavailable) as caught:
        load_tiny_autoencoder(path, torch.float32)
    return str(caught.value)


def test_a_missing_half_is_named(tmp_path, original):
    folder = pair(tmp_path / "approx", original)
    (folder / "taesd_encoder.safetensors").unlink()
    assert "taesd_encoder.safetensors is missing" in refusal(folder / "taesd_decoder.safetensors")


def test_a_folder_of_several_pairs_asks_for_a_file(tmp_path, original):
    folder = pair(tmp_path / "approx", original)
    pair(folder, original, name="taesdxl")
    assert "several" in refusal(folder)
    assert_alike(folder / "taesdxl_decoder.safetensors", original)


@pytest.mark.parametrize(
    ("extra", "said"), [({"vae_scale": torch.ones(1)}, "vae_scale"), ({"decoder.99.gn.weight": torch.ones(1)}, "gn")]
)
def test_a_weight_without_a_place_is_named(tmp_path, original, extra, said):
    file = joined(tmp_path / "taesd.safetensors", original, "{}.")
    save_file(load_file(file) | extra, file)
    assert said in refusal(file)


def test_a_file_of_another_kind_and_a_pickle_and_a_short_file_are_refused_with_the_file(tmp_path, original):
    other, pickle, short = (tmp_path / name for name in ("lora.safetensors", "taesd.pth", "taesd.safetensors"))
    save_file({"unet.x.lora_A.weight": torch.ones(2)}, other)
    pickle.write_bytes(b"\x80\x04.")
    shutil.copy(joined(tmp_path / "good.safetensors", original, "{}."), short)
    short.write_bytes(short.read_bytes()[:-9])
    assert "lora.safetensors" in refusal(other)
    assert "pickle" in refusal(pickle)
    assert "taesd.safetensors is no whole" in refusal(short)
