"""Models on disk: listed, fetched, checked."""

import hashlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from sdstream.cli.models import verify
from sdstream.engine.weights import hub_store
from sdstream.engine.weights.licence import licence
from sdstream.errors import Unavailable
from tests.engine.original_layout import write_single_file
from tests.engine.tiny_model import with_full_autoencoder


@pytest.fixture(autouse=True)
def own_log() -> Iterator[None]:
    yield
    structlog.reset_defaults()


@pytest.fixture
def model(tiny_model: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_model, tmp_path / "model"))


def publish(folder: Path) -> None:
    files = [file for file in folder.rglob("*") if file.is_file()]
    lines = [f"{hashlib.sha256(f.read_bytes()).hexdigest()}  ./{f.relative_to(folder)}" for f in files]
    (folder / hub_store.SUMS).write_text("\n".join(lines))


def test_a_model_that_is_whole_passes(model):
    publish(model)
    states = {check.file: check.state for check in hub_store.verify(str(model))}
    assert states.pop(hub_store.SUMS) == "unlisted"
    assert set(states.values()) == {"matches"}
    assert "unet/diffusion_pytorch_model.safetensors" in states


def test_a_single_changed_byte_is_found(model):
    publish(model)
    file = model / "unet" / "diffusion_pytorch_model.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(Unavailable, match="diffusion_pytorch_model"):
        hub_store.verify(str(model))


def test_a_file_that_went_missing_is_named(model):
    publish(model)
    (model / "vae" / "config.json").unlink()
    with pytest.raises(Unavailable, match="vae"):
        hub_store.verify(str(model))


def spoil(file: Path, change: Callable[[dict[str, Tensor]], object]) -> None:
    state = load_file(file)
    change(state)
    save_file(state, file)


def test_a_number_that_is_none_is_found_in_any_file(model):
    file = model / "vae" / "diffusion_pytorch_model.safetensors"
    spoil(file, lambda state: state["encoder.layers.0.bias"].fill_(float("nan")))
    with pytest.raises(Unavailable, match=r"encoder\.layers\.0\.bias has NaN"):
        hub_store.verify(str(model))
    with pytest.raises(Unavailable, match="has NaN"):
        hub_store.verify(str(file))


def test_a_pickle_in_a_model_is_refused(model):
    (model / "unet" / "more.bin").write_bytes(b"\x80\x04.")
    with pytest.raises(Unavailable, match=r"more\.bin is a pickle"):
        hub_store.verify(str(model))


def test_the_bundled_model_has_a_checksum_for_every_file_that_is_read():
    states = {check.file: check.state for check in hub_store.verify("mini")}
    unlisted = {name for name, state in states.items() if state != "matches"}
    assert {Path(name).suffix for name in unlisted - {hub_store.SUMS}} == {".md"}


VERIFY = [
    ("unet/diffusion_pytorch_model.safetensors", lambda state: state.pop("conv_in.bias"), "conv_in.bias"),
    ("vae/diffusion_pytorch_model.safetensors", lambda state: state.pop("encoder.layers.0.bias"), "layers.0.bias"),
    ("text_encoder/model.safetensors", lambda state: state.pop(min(state)), "missing keys"),
    (
        "unet/diffusion_pytorch_model.safetensors",
        lambda state: state.update({"conv_in.weight": state["conv_in.weight"][:8].clone()}),
        "conv_in.weight",
    ),
]


@pytest.mark.parametrize(("file", "change", "said"), VERIFY, ids=[said for _, _, said in VERIFY])
def test_a_model_that_would_not_run_is_not_called_whole(model, capsys, file, change, said):
    spoil(model / file, change)
    with pytest.raises(Unavailable, match=said):
        verify(str(model))
    assert "whole" not in capsys.readouterr().out


def test_a_number_too_large_for_the_number_format_of_the_machine_is_found(model, monkeypatch):
    monkeypatch.setattr("sdstream.engine.acceleration.weights_dtype", lambda *_: torch.float16)
    spoil(model / "unet/diffusion_pytorch_model.safetensors", lambda state: state["conv_in.bias"].fill_(1e6))
    with pytest.raises(Unavailable, match=r"conv_in\.bias has NaN or infinite numbers in float16"):
        verify(str(model))


def test_a_model_that_runs_is_called_whole_and_a_part_is_not(model, capsys):
    verify(str(model))
    assert "the model is whole: every weight is there, and fits in float" in capsys.readouterr().out
    verify(str(model / "unet"))
    said = capsys.readouterr().out
    assert "this is no model" in said
    assert "whole" not in said


def test_a_checkpoint_in_a_file_is_loaded_too(model, tmp_path, capsys):
    file = write_single_file(with_full_autoencoder(model), tmp_path / "one.safetensors")
    for part in ("unet", "vae", "text_encoder", "tokenizer", "scheduler"):
        shutil.copytree(model / part, tmp_path / part, ignore=shutil.ignore_patterns("*.safetensors"))
    verify(str(file))
    assert "the model is whole" in capsys.readouterr().out
    spoil(file, lambda state: state.pop("model.diffusion_model.out.2.bias"))
    with pytest.raises(Unavailable, match=r"conv_out\.bias"):
        verify(str(file))


def test_a_broken_list_of_checksums_is_refused(model):
    (model / hub_store.SUMS).write_text("hello")
    with pytest.raises(Unavailable, match="checksums"):
        hub_store.verify(str(model))


def test_a_hub_blob_is_held_against_its_own_name(tmp_path):
    right, wrong = (b"{}", b"[]")
    digest = hashlib.sha256(right).hexdigest()
    blob = tmp_path / "blobs" / digest
    blob.parent.mkdir()
    blob.write_bytes(right)
    folder = tmp_path / "snapshot"
    folder.mkdir()
    (folder / "config.json").symlink_to(blob)
    assert [check.state for check in hub_store.verify(str(folder))] == ["matches"]
    blob.write_bytes(wrong)
    with pytest.raises(Unavailable, match=r"config\.json"):
        hub_store.verify(str(folder))


def test_bundled_and_fetched_models_are_listed(model, tmp_path, monkeypatch):
    import huggingface_hub.constants

    cache = tmp_path / "hub"
    snapshot = cache / "models--some--model" / "snapshots" / ("a" * 40)
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text("{}")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr("huggingface_hub.utils._cache_manager.HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(hub_store, "BUNDLED", model.parent)
    found = {one.name: one.origin for one in hub_store.stored()}
    assert found == {"model": "bundled", "some/model": "hub"}


@pytest.mark.parametrize(
    ("card", "told"),
    [
        ("---\nlicense: openrail++\n---\n# A model\nlicense: other\n", "the licence openrail++"),
        ("---\ntags: [a]\nlicense: other\nlicense_name: sai-nc\nlicense_link: x\n---\n", "the licence sai-nc"),
        ("---\nlicense_name: 'sai-nc'\nlicense: other\n---\n", "the licence sai-nc"),
        ("---\nlicense: other\n---\n", "the licence other"),
        ("---\ntags: [a]\n---\nlicense: mit\n", "not stated on the model card"),
        ("license: mit\n", "not stated on the model card"),
    ],
)
def test_the_licence_of_a_model_card_is_told(tmp_path, card, told):
    (tmp_path / "README.md").write_text(card)
    assert told in licence(tmp_path, "some/model")


def test_a_model_without_a_card_names_no_licence(tmp_path):
    assert "not stated on the model card" in licence(tmp_path, "some/model")
