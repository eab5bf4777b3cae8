"""A part of a model loads from every layout that the libraries write, with the same weights."""

import shutil
from pathlib import Path

import pytest
import torch
from diffusers import UNet2DConditionModel
from transformers import CLIPTextModel

from sdstream.engine.weights.component import component
from sdstream.errors import Unavailable
from tests.engine.tiny_model import make_tiny_model

PARTS = [("unet", UNet2DConditionModel), ("text_encoder", CLIPTextModel)]
SHARDS = {"max_shard_size": "50KB"}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("layouts") / "sd")


def written(model: Path, folder: Path, part: str, kind: type, **layout: object) -> Path:
    kind.from_pretrained(model / part).half().save_pretrained(folder, **layout)
    return folder


@pytest.mark.parametrize(("part", "kind"), PARTS)
@pytest.mark.parametrize("variant", [None, "fp16", "bf16"])
@pytest.mark.parametrize("layout", [{}, SHARDS])
def test_a_variant_loads_from_a_single_file_and_from_shards(model, tmp_path, part, kind, variant, layout):
    folder = written(model, tmp_path / part, part, kind, variant=variant, **layout)
    assert (len(list(folder.glob("*.safetensors"))) > 1) is bool(layout)
    found = component(kind, folder, part, torch_dtype=torch.float32).state_dict()
    expected = {name: tensor.half().float() for name, tensor in kind.from_pretrained(model / part).state_dict().items()}
    torch.testing.assert_close(found, expected, atol=0, rtol=0)


@pytest.mark.parametrize(("part", "kind"), PARTS)
def test_the_file_without_a_variant_comes_before_a_variant_in_shards(model, tmp_path, part, kind):
    folder = written(model, tmp_path / part, part, kind, variant="fp16", **SHARDS)
    kind.from_pretrained(model / part).save_pretrained(tmp_path / "plain")
    for file in (tmp_path / "plain").glob("*.safetensors"):
        shutil.copy(file, folder)
    found = component(kind, folder, part, torch_dtype=torch.float32).state_dict()
    torch.testing.assert_close(found, kind.from_pretrained(model / part).state_dict(), atol=0, rtol=0)


@pytest.mark.parametrize(("part", "kind"), PARTS)
def test_a_missing_shard_is_refused_with_its_folder(model, tmp_path, part, kind):
    folder = written(model, tmp_path / part, part, kind, variant="fp16", **SHARDS)
    max(folder.glob("*.safetensors")).unlink()
    with pytest.raises(Unavailable, match=str(folder)):
        component(kind, folder, part, torch_dtype=torch.float32)
