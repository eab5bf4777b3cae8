"""Models on disk: listed, fetched, checked."""

import hashlib
import shutil
from pathlib import Path

import pytest

from sdstream.engine import store
from sdstream.errors import Unavailable


@pytest.fixture
def model(tiny_model: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_model, tmp_path / "model"))


def publish(folder: Path) -> None:
    files = [file for file in folder.rglob("*") if file.is_file()]
    lines = [f"{hashlib.sha256(f.read_bytes()).hexdigest()}  ./{f.relative_to(folder)}" for f in files]
    (folder / store.SUMS).write_text("\n".join(lines))


def test_a_model_that_is_whole_passes(model):
    publish(model)
    states = {check.file: check.state for check in store.verify(str(model))}
    assert states.pop(store.SUMS) == "unlisted"
    assert set(states.values()) == {"matches"}
    assert "unet/diffusion_pytorch_model.safetensors" in states


def test_one_changed_byte_is_found(model):
    publish(model)
    file = model / "unet" / "diffusion_pytorch_model.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(Unavailable, match="diffusion_pytorch_model"):
        store.verify(str(model))


def test_a_file_that_went_missing_is_named(model):
    publish(model)
    (model / "vae" / "config.json").unlink()
    with pytest.raises(Unavailable, match="vae"):
        store.verify(str(model))


def test_a_broken_list_of_checksums_is_refused(model):
    (model / store.SUMS).write_text("hello")
    with pytest.raises(Unavailable, match="checksums"):
        store.verify(str(model))


def test_a_hub_blob_is_held_against_its_own_name(tmp_path):
    right, wrong = (b"{}", b"[]")
    digest = hashlib.sha256(right).hexdigest()
    blob = tmp_path / "blobs" / digest
    blob.parent.mkdir()
    blob.write_bytes(right)
    folder = tmp_path / "snapshot"
    folder.mkdir()
    (folder / "config.json").symlink_to(blob)
    assert [check.state for check in store.verify(str(folder))] == ["matches"]
    blob.write_bytes(wrong)
    with pytest.raises(Unavailable, match=r"config\.json"):
        store.verify(str(folder))


def test_bundled_and_fetched_models_are_listed(model, tmp_path, monkeypatch):
    import huggingface_hub.constants

    cache = tmp_path / "hub"
    snapshot = cache / "models--some--model" / "snapshots" / ("a" * 40)
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text("{}")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr("huggingface_hub.utils._cache_manager.HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(store, "BUNDLED", model.parent)
    found = {one.name: one.origin for one in store.stored()}
    assert found == {"model": "bundled", "some/model": "hub"}


def test_the_licence_of_a_model_card_is_told(tmp_path):
    (tmp_path / "README.md").write_text("---\nlicense: openrail++\n---\n# A model\nlicense: other\n")
    assert "openrail++" in store.licence(tmp_path, "some/model")
    (tmp_path / "README.md").unlink()
    assert "does not name" in store.licence(tmp_path, "some/model")


@pytest.mark.parametrize(("name", "reason"), [("mini", "no hub id"), ("some/thing", "models pull some/thing")])
def test_what_cannot_be_fetched_is_refused(name, reason):
    with pytest.raises(Unavailable, match=reason):
        store.pull(name)
