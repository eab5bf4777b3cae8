"""Checkpoints in one file: the same model as the folder of the same weights, with every weight checked."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from sdstream.config.engine import DiffusionSettings
from sdstream.controls import Controls
from sdstream.engine.acceleration import open_model
from sdstream.engine.checkpoint import Checkpoint
from sdstream.engine.conditioning import tokenizer
from sdstream.engine.weights.checkpoint_header import ARCHITECTURES
from sdstream.errors import Unavailable
from tests.engine.original_layout import open_clip_names, unet_names, vae_names, write_single_file
from tests.engine.pixel_engine import ALWAYS, PixelEngine, picture, settings
from tests.engine.tiny_model import make_tiny_model, with_full_autoencoder

UNET = "model.diffusion_model."
FULL = {"autoencoder": "full"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return with_full_autoencoder(make_tiny_model(tmp_path_factory.mktemp("original") / "sd"))


@pytest.fixture(scope="module")
def xl_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return with_full_autoencoder(make_tiny_model(tmp_path_factory.mktemp("original") / "xl", xl=True))


@pytest.fixture
def file(folder: Path, tmp_path: Path) -> Path:
    return write_single_file(folder, tmp_path / "model.safetensors")


def rendered(model: Path, **more: object) -> list:
    controls = Controls(prompt="(oil:1.3) paint", steps=(10, 30), guidance={"mode": "full", "scale": 2}, **ALWAYS)
    with PixelEngine(settings(model, **FULL, **more)) as engine:
        return [engine(picture(k), controls) for k in range(3)][1:]


@pytest.mark.parametrize("kind", ["sd1", "sd2", "sdxl"])
def test_a_single_file_gives_exactly_the_pictures_of_its_folder(folder, xl_folder, tmp_path, kind):
    source = xl_folder if kind == "sdxl" else folder
    file = write_single_file(source, tmp_path / "model.safetensors", open_clip=kind == "sd2")
    assert np.array_equal(rendered(file, configs=str(source)), rendered(source))


@pytest.mark.parametrize(("left_out", "zeros"), [("model_index.json", True), ("nothing", False)])
def test_sdxl_in_one_file_takes_zeros_for_no_negative_prompt_unless_its_configs_say_otherwise(
    xl_folder, tmp_path, left_out, zeros
):
    file = write_single_file(xl_folder, tmp_path / "model.safetensors")
    configs = shutil.copytree(xl_folder, tmp_path / "configs", ignore=shutil.ignore_patterns(left_out))
    text = open_model(settings(file, configs=str(configs), **FULL)).text
    assert bool((text.encode_negative("").tokens == 0).all()) is zeros


def test_configs_that_lie_beside_the_file_are_found(folder, tmp_path):
    beside = Path(shutil.copytree(folder, tmp_path / "model", ignore=shutil.ignore_patterns("*.safetensors")))
    file = write_single_file(folder, beside / "model.safetensors")
    assert (rendered(file)[0] == rendered(folder)[0]).all()


@pytest.mark.parametrize(
    "extra", ["cond_stage_model.transformer.text_model.embeddings.position_ids", "model_ema.decay", "alphas_cumprod"]
)
def test_extra_entries_of_real_files_do_no_harm(folder, tmp_path, extra):
    file = write_single_file(folder, tmp_path / "model.safetensors", extra={extra: torch.arange(77)})
    assert open_model(settings(file, configs=str(folder), **FULL)).channels == 4


@pytest.mark.parametrize(
    ("kind", "prefix"),
    [("sd1", "cond_stage_model."), ("sd2", "cond_stage_model.model."), ("sdxl", "conditioner.embedders.0.")],
)
def test_clips_projection_beside_the_first_text_encoder_changes_no_picture(folder, xl_folder, tmp_path, kind, prefix):
    source = xl_folder if kind == "sdxl" else folder
    inner = prefix if kind == "sd2" else f"{prefix}transformer."
    name = "text_projection" if kind == "sd2" else "text_projection.weight"
    extra = {
        inner + name: torch.ones(32, 32),
        f"{prefix}logit_scale": torch.ones(()),
        inner + "logit_scale": torch.ones(()),
    }
    file = write_single_file(source, tmp_path / "model.safetensors", open_clip=kind == "sd2", extra=extra)
    assert np.array_equal(rendered(file, configs=str(source)), rendered(source))


PUBLISHED = {
    "sd1": {"unet": 859_520_964, "vae": 83_653_863, "text_encoder": 123_060_480},
    "sd2": {"unet": 865_910_724, "vae": 83_653_863, "text_encoder": 340_387_840},
    "sdxl": {"unet": 2_567_463_684, "vae": 83_653_863, "text_encoder": 123_060_480, "text_encoder_2": 694_659_840},
}


def standard(kind: str, part: str) -> torch.nn.Module:
    import diffusers
    import transformers

    config = json.loads((ARCHITECTURES / kind / part / "config.json").read_text())
    with torch.device("meta"):
        if "_class_name" in config:
            return getattr(diffusers, config["_class_name"]).from_config(config)
        cls = getattr(transformers, config["architectures"][0])
        return cls(cls.config_class.from_dict(config))


@pytest.mark.parametrize(("kind", "part"), [(kind, part) for kind, parts in PUBLISHED.items() for part in parts])
def test_the_standard_configs_make_the_published_networks(kind, part):
    assert sum(weight.numel() for weight in standard(kind, part).parameters()) == PUBLISHED[kind][part]


class Described(Checkpoint):
    """A checkpoint of which the header alone is there, as is enough to tell what it is."""

    def __init__(self, shapes: dict[str, tuple[int, ...]], folder: Path, **metadata: str) -> None:
        self._file, self._configs, self._shapes, self._metadata = folder / "x.safetensors", folder, shapes, metadata


def full_size(kind: str) -> dict[str, tuple[int, ...]]:
    named = unet_names(dict(standard(kind, "unet").state_dict()), layers=2)
    return {f"{UNET}{key}": tuple(tensor.shape) for key, tensor in named.items()}


@pytest.mark.parametrize("kind", PUBLISHED)
def test_the_real_architectures_are_told_by_their_shapes_and_every_weight_finds_its_place(kind, tmp_path):
    from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint, convert_ldm_vae_checkpoint

    checkpoint = Described(full_size(kind), tmp_path)
    assert checkpoint.config("unet")["cross_attention_dim"] == {"sd1": 768, "sd2": 1024, "sdxl": 2048}[kind]
    for part, prefix, names, convert in (
        ("unet", UNET, lambda state: unet_names(state, layers=2), convert_ldm_unet_checkpoint),
        ("vae", "first_stage_model.", lambda state: vae_names(state, blocks=4), convert_ldm_vae_checkpoint),
    ):
        state = dict(standard(kind, part).state_dict())
        back = convert({f"{prefix}{key}": tensor for key, tensor in names(state).items()}, checkpoint.config(part))
        assert {key: tensor.shape for key, tensor in back.items()} == {key: state[key].shape for key in state}


@pytest.mark.parametrize(
    ("kind", "marks", "metadata", "expected"),
    [
        ("sd1", (), {}, "epsilon"),
        ("sdxl", (), {}, "epsilon"),
        ("sdxl", ("v_pred",), {}, "v_prediction"),
        ("sd2", (), {"modelspec.prediction_type": "v"}, "v_prediction"),
        ("sd2", (), {"modelspec.prediction_type": "epsilon"}, "epsilon"),
        ("sd2", (), {}, None),
    ],
)
def test_the_prediction_type_of_a_file_is_told_by_its_contents(kind, marks, metadata, expected, tmp_path):
    checkpoint = Described(full_size(kind) | dict.fromkeys(marks, ()), tmp_path, **metadata)
    assert checkpoint.scheduler().get("prediction_type") == expected


def test_zero_terminal_snr_is_told_by_its_mark(tmp_path):
    marked = Described(full_size("sdxl") | {"v_pred": (), "ztsnr": ()}, tmp_path)
    assert marked.scheduler()["rescale_betas_zero_snr"] is True


def tiny_with_width(file: Path, width: int) -> Path:
    """Give a tiny file a prompt width that is a real architecture's."""
    state = load_file(file)
    for key in state:
        if key.startswith(UNET) and ".attn2.to_" in key and key.endswith(("to_k.weight", "to_v.weight")):
            state[key] = torch.zeros(state[key].shape[0], width)
    save_file(state, file)
    return file


def refusal(file: Path, **more: object) -> str:
    with pytest.raises(Unavailable) as caught:
        open_model(DiffusionSettings(model=str(file), device="cpu", **more))
    assert caught.value.exit_code == 69
    return str(caught.value)


def test_sd_2_says_which_of_its_two_kinds_it_cannot_tell(file):
    message = refusal(tiny_with_width(file, 1024))
    assert "engine.prediction" in message
    assert "engine.prediction" not in refusal(tiny_with_width(file, 1024), prediction="v_prediction")


def test_the_prediction_type_of_a_folder_can_be_set(folder, tiny_model):
    assert open_model(settings(tiny_model)).table.prediction == "epsilon"
    assert open_model(settings(tiny_model, prediction="v_prediction")).table.prediction == "v_prediction"


def test_an_unknown_architecture_asks_for_configs(file):
    assert "engine.configs" in refusal(file)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"input_blocks.0.0.weight": None}, "conv_in.weight is missing"),
        ({"input_blocks.0.0.weight": torch.zeros(16, 9, 3, 3)}, "conv_in.weight is [16, 9, 3, 3]"),
        ({"input_blocks.0.0.weight": torch.zeros(16, 4, 3, 3, dtype=torch.int64)}, "torch.int64"),
        ({"input_blocks.0.0.weight": torch.zeros(16, 4, 3, 3) / 0}, "conv_in.weight has NaN"),
        ({"label_emb.0.0.weight": torch.zeros(3)}, "label_emb.0.0.weight"),
    ],
)
def test_a_file_that_does_not_fit_its_architecture_is_refused_by_weight(folder, file, change, said):
    state = load_file(file) | {UNET + name: tensor for name, tensor in change.items()}
    save_file({name: tensor for name, tensor in state.items() if tensor is not None}, file)
    message = refusal(file, configs=str(folder))
    assert said in message
    assert str(file) in message


@pytest.mark.parametrize(
    ("prefix", "said"),
    [("cond_stage_model.", "text encoder"), ("first_stage_model.", "autoencoder"), (UNET, "no Stable Diffusion")],
)
def test_a_part_that_is_not_in_the_file_is_named(folder, file, prefix, said):
    save_file({key: tensor for key, tensor in load_file(file).items() if not key.startswith(prefix)}, file)
    assert said in refusal(file, configs=str(folder), **FULL)


def test_without_its_autoencoder_a_file_runs_with_a_tiny_one(folder, tiny_model, file):
    save_file({key: t for key, t in load_file(file).items() if not key.startswith("first_stage_model.")}, file)
    model = open_model(settings(file, configs=str(folder), tiny_autoencoder=str(tiny_model / "vae")))
    assert type(model.autoencoder).__name__ == "AutoencoderTiny"


@pytest.mark.parametrize("keep", [0, 7, 1000, -1])
def test_a_file_cut_short_is_refused(folder, file, keep):
    file.write_bytes(file.read_bytes()[:keep])
    message = refusal(file, configs=str(folder))
    assert "whole safetensors" in message
    assert str(file) in message


@pytest.mark.parametrize("name", ["model.ckpt", "model.pt", "model.bin"])
def test_a_pickle_is_refused_unopened(file, name):
    assert "pickle" in refusal(file.rename(file.with_name(name)))


def test_without_a_tokenizer_or_a_network_the_ways_out_are_named(folder, file, tmp_path):
    configs = shutil.copytree(folder, tmp_path / "configs", ignore=shutil.ignore_patterns("tokenizer*"))
    message = refusal(file, configs=str(configs), **FULL)
    assert "engine.configs" in message
    assert tokenizer.VOCABULARY in message


@pytest.mark.parametrize(("zero_padded", "pad"), [(True, 0), (False, 513)])
def test_a_tokenizer_made_of_a_vocabulary_pads_as_its_encoder_was_trained(folder, zero_padded, pad):
    made = tokenizer.find_tokenizer(folder, "tokenizer_2", zero_padded=zero_padded)
    assert made.pad_token_id == pad


def test_a_vocabulary_in_the_hubs_cache_is_used(folder, tmp_path, monkeypatch):
    import huggingface_hub.constants

    snapshot = tmp_path / "hub" / "models--stabilityai--sd-turbo" / "snapshots" / ("a" * 40)
    shutil.copytree(folder / "tokenizer", snapshot / "tokenizer")
    (snapshot.parents[1] / "refs").mkdir()
    (snapshot.parents[1] / "refs" / "main").write_text("a" * 40)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    made = tokenizer.find_tokenizer(tmp_path / "nowhere", "tokenizer", zero_padded=False)
    assert made("a", add_special_tokens=False).input_ids == [
        tokenizer.load_tokenizer(folder / "tokenizer").convert_tokens_to_ids("a</w>")
    ]


def test_configs_are_for_one_file_only(folder):
    assert "engine.configs" in refusal(folder, configs=str(folder))


def test_the_test_writes_the_names_that_the_original_code_uses(folder, tmp_path):
    """A few names of published files, so that the writer above and diffusers' reader cannot err together."""
    file = write_single_file(folder, tmp_path / "model.safetensors")
    with safe_open(file, framework="pt") as opened:
        names = set(opened.keys())
    assert {
        "model.diffusion_model.time_embed.0.weight",
        "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight",
        "model.diffusion_model.middle_block.1.proj_in.weight",
        "model.diffusion_model.output_blocks.3.0.skip_connection.weight",
        "first_stage_model.encoder.down.0.block.0.conv1.weight",
        "first_stage_model.decoder.up.3.upsample.conv.weight",
        "first_stage_model.decoder.mid.attn_1.q.weight",
        "cond_stage_model.transformer.text_model.embeddings.position_embedding.weight",
    } <= names
    real = unet_names(dict(standard("sd1", "unet").state_dict()), layers=2)
    assert {"output_blocks.11.0.skip_connection.weight", "input_blocks.10.0.in_layers.0.weight"} <= real.keys()
    second = open_clip_names(
        {k.removeprefix("text_model."): v for k, v in standard("sdxl", "text_encoder_2").state_dict().items()},
        "conditioner.embedders.1.model.",
    )
    assert "conditioner.embedders.1.model.transformer.resblocks.9.mlp.c_proj.bias" in second
    assert "conditioner.embedders.1.model.positional_embedding" in second
