"""`check` opens the headers of the engine's files, and says where in the file a run would refuse which model."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from sdstream.config.load import loads
from sdstream.engine.preflight.refusals import refusals
from sdstream.errors import Unavailable
from tests.cli.command_line import Sdstream

HEAVY = ("torch", "diffusers", "transformers", "numpy", "openvino", "av", "safetensors")
LAYER = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a tiny model, and a file of each kind for further base models."""
    from tests.engine.tiny_model import make_tiny_model

    folder = tmp_path_factory.mktemp("files")
    make_tiny_model(folder / "model")
    pair = {f"{LAYER}.lora_down.weight": torch.ones(4, 2048), f"{LAYER}.lora_up.weight": torch.ones(16, 4)}
    tiny = {"encoder.layers.0.weight": torch.ones(8, 3, 3, 3), "decoder.layers.0.weight": torch.ones(8, 4, 3, 3)}
    contents = {
        "lora": pair,
        "own": {**pair, f"{LAYER}.lora_down.weight": torch.ones(4, 32)},
        "embedding": {"emb_params": torch.ones(1, 768)},
        "tiny": tiny,
        "checkpoint": {"model.diffusion_model.out.2.bias": torch.ones(4), "first_stage_model.x": torch.ones(1)},
        "unet": {"conv_in.weight": torch.ones(4, 4), "conv_out.weight": torch.ones(4, 4),
                 "mid_block.attentions.0.transformer_blocks.0.attn2.to_k.weight": torch.ones(4, 1024)},
        "controlnet": {"input_hint_block.0.weight": torch.ones(4),
                       "middle_block.1.transformer_blocks.0.attn2.to_k.weight": torch.ones(4, 768)},
    }  # fmt: skip
    contents["guide"] = {"input_hint_block.0.weight": torch.ones(4)}
    for name, state in contents.items():
        save_file(state, folder / f"{name}.safetensors")
    (folder / "pickle.ckpt").write_bytes(b"\x80")
    flow = shutil.copytree(folder / "model", folder / "flow")
    (flow / "scheduler" / "scheduler_config.json").write_text('{"_class_name": "FlowMatchEulerDiscreteScheduler"}')
    return folder


def show_with(files: Path, engine: str) -> str:
    """Return a show with engine settings: {name} stands for a file, and line 4 is the first of the settings."""
    places = {name.stem: str(name) for name in files.iterdir()}
    settings = engine if engine.startswith("model:") else f"model: {{model}}\n{engine}"
    lines = "".join(f"  {line.format_map(places)}\n" for line in settings.splitlines())
    return f"version: 1\nsource: {{kind: testsrc}}\nengine:\n{lines}sinks: [{{kind: discard}}]\n"


@pytest.fixture
def refused(sdstream: Sdstream, files: Path, tmp_path: Path) -> Callable[[str], list[dict[str, object]]]:
    """Check a show with engine settings, and return what a run would refuse."""

    def check(engine: str) -> list[dict[str, object]]:
        show = tmp_path / "show.yaml"
        show.write_text(show_with(files, engine))
        answer = sdstream("check", str(show), "--json")
        told = json.loads(answer.out)
        assert (answer.status, answer.err) == (0 if told["ok"] else 69, "")
        return list(told["refused"])

    return check


CASES = [
    ("loras: {{ink: {lora}}}", (5, 11), "engine.loras.ink", "LoRA 'ink'.*lora.safetensors.*Stable Diffusion XL.* 32 "),
    ("loras: {{ink: {embedding}}}", (5, 11), "engine.loras.ink", "move the entry to engine.embeddings"),
    ("loras: {{ink: {checkpoint}}}", (5, 11), "engine.loras.ink", "a whole checkpoint: set engine.model"),
    ("loras: {{ink: gone/ink.safetensors}}", (5, 11), "engine.loras.ink", "'gone/ink.safetensors' was not found"),
    ("loras:\n  ink: {{path: {pickle}}}", (6, 5), "engine.loras.ink", "is a pickle"),
    ("unet: {lora}", (5, 3), "engine.unet", "is a LoRA: name the file under engine.loras"),
    ("unet: {unet}", (5, 3), "engine.unet", "1024 .*Stable Diffusion 2.x.* 32"),
    ("unet: {pickle}", (5, 3), "engine.unet", "is a pickle"),
    ("vae: {unet}", (5, 3), "engine.vae", "set autoencoder to full"),
    ("autoencoder: full\nvae: {tiny}", (6, 3), "engine.vae", "a tiny autoencoder: set engine.tiny_autoencoder"),
    ("autoencoder: full", (4, 3), "engine.model", "is a tiny autoencoder"),
    ("tiny_autoencoder: {lora}", (5, 3), "engine.tiny_autoencoder", "is a LoRA"),
    ("embeddings: {{fox: {lora}}}", (5, 16), "engine.embeddings.fox", "is a LoRA"),
    ("embeddings: {{fox: {embedding}}}", (5, 16), "engine.embeddings.fox", "for a different base model.*768.* 32 "),
    ("controlnets: {{a: {{model: {lora}, condition: canny}}}}", (5, 17), "engine.controlnets.a", "is a LoRA"),
    ("controlnets: {{a: {{model: {controlnet}, condition: canny}}}}", (5, 17), "engine.controlnets.a", "768 .* 32 "),
    ("controlnets: {{a: {{model: {guide}, condition: depth}}}}", (5, 17), "engine.controlnets.a", "depth_model"),
    ("segmentation_model: {model}/unet", (5, 3), "engine.segmentation_model", "UNet2DConditionModel"),
    ("eta: 0.5", (4, 3), "engine.model", "engine.eta is for the samplers"),
    ("model: {lora}", (4, 3), "engine.model", "is a LoRA: name the file under engine.loras"),
    ("model: {checkpoint}", (4, 3), "engine.model", "does not have the shapes of Stable Diffusion"),
    ("model: {flow}", (4, 3), "engine.model", "FlowMatchEulerDiscreteScheduler"),
    ("model: {model}/unet", (4, 3), "engine.model", "is a U-Net: set engine.unet"),
]  # fmt: skip


@pytest.mark.parametrize(("engine", "place", "path", "said"), CASES)
def test_a_file_that_a_run_would_refuse_is_told_with_its_place(refused, engine, place, path, said):
    (refusal,) = refused(engine)
    assert ((refusal["line"], refusal["column"]), refusal["path"]) == (place, path)
    assert re.search(said, str(refusal["message"]))


@pytest.mark.parametrize("engine", [case[0] for case in CASES if not case[0].startswith("segmentation")])
def test_the_run_refuses_in_the_words_of_the_check(files, engine):
    from sdstream.engine.diffusion import DiffusionEngine

    settings = loads(show_with(files, f"{engine}\nacceleration: eager"), "show.yaml").engine
    (told,) = refusals(settings)
    with pytest.raises(Unavailable) as caught, DiffusionEngine(settings):
        pass
    assert str(caught.value) == told.reason


def test_the_finder_of_people_refuses_in_the_words_of_the_check(files):
    from sdstream.engine.people import People

    settings = loads(show_with(files, "segmentation_model: {model}/unet"), "show.yaml").engine
    (told,) = refusals(settings)
    with pytest.raises(Unavailable) as caught:
        People(settings.segmentation_model, "cpu")
    assert str(caught.value) == told.reason


@pytest.mark.parametrize(
    "engine", ["loras: {{ink: {own}}}", "loras: {{ink: owner/repository}}", "model: owner/never-fetched", "dtype: auto"]
)
def test_what_a_run_takes_or_fetches_is_not_refused(refused, engine):
    assert refused(engine) == []


def test_people_read_the_place_and_the_reason(sdstream: Sdstream, files: Path, tmp_path: Path):
    show = tmp_path / "show.yaml"
    show.write_text(show_with(files, "loras: {{ink: {lora}}}\nunet: {pickle}"))
    answer = sdstream("check", str(show))
    assert answer.status == 69
    assert re.findall(rf"{show}:(\d+:\d+): (\S+):", answer.err) == [
        ("5:11", "engine.loras.ink"),
        ("6:3", "engine.unet"),
    ]


def test_the_check_of_models_loads_no_heavy_library_and_is_quick(files: Path, tmp_path: Path):
    show = tmp_path / "show.yaml"
    show.write_text(show_with(files, "loras: {{ink: {lora}}}\nembeddings: {{fox: {embedding}}}\nunet: {unet}"))
    code = (
        f"import sys, time; sys.argv = ['sdstream', 'check', {str(show)!r}]\nfrom sdstream.cli import main\n"
        "try: main()\nexcept SystemExit as end: status = end.code\n"
        f"print(status, [name for name in {HEAVY} if name in sys.modules], time.process_time() < 1)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.splitlines()[-1:] == ["69 [] True"], done.stderr
