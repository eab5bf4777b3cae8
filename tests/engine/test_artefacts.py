"""The store of compiled artefacts gives back what it was given, or nothing; it never ends a start."""

import json
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from sdstream.engine.artefacts import KEEP, ArtefactStore


@dataclass(frozen=True)
class Part:
    name: str


@dataclass(frozen=True)
class Key:
    weights: str
    size: tuple[int, int] = (64, 64)
    part: Part = Part("cpu")


KEY = Key("abc")


@pytest.fixture
def store(tmp_path: Path) -> ArtefactStore:
    return ArtefactStore.open(tmp_path, KEY)


def test_an_artefact_is_there_for_the_next_start_with_the_same_key(store, tmp_path):
    store.keep("unet-1.blob", b"compiled")
    assert ArtefactStore.open(tmp_path, KEY).read("unet-1.blob") == b"compiled"


@pytest.mark.parametrize("change", [{"weights": "abd"}, {"size": (64, 96)}, {"part": Part("gpu")}])
def test_another_key_has_nothing_of_it(store, tmp_path, change):
    store.keep("unet-1.blob", b"compiled")
    assert ArtefactStore.open(tmp_path, replace(KEY, **change)).read("unet-1.blob") is None


def test_the_key_is_written_beside_the_artefacts(store):
    written = json.loads((store.folder / "key.json").read_text())
    assert written == json.loads(json.dumps(asdict(KEY)))


@pytest.mark.parametrize("content", [b"", b"short", bytes(100)])
def test_a_damaged_artefact_is_logged_and_not_given_out(store, content):
    store.keep("unet-1.blob", b"compiled")
    (store.folder / "unet-1.blob").write_bytes(content)
    with capture_logs() as logs:
        assert store.read("unet-1.blob") is None
    assert [log["event"] for log in logs] == ["a kept artefact is damaged and is built again"]


def test_an_artefact_that_was_never_kept_is_no_cause_for_a_warning(store):
    with capture_logs() as logs:
        assert store.read("unet-1.blob") is None
    assert logs == []


def test_the_keys_used_longest_ago_go_first(tmp_path):
    stores = [ArtefactStore.open(tmp_path, Key(str(number))) for number in range(KEEP)]
    for age, store in enumerate(reversed(stores)):
        os.utime(store.folder, (1e9 - age, 1e9 - age))
    ArtefactStore.open(tmp_path, Key("0"))  # used again
    ArtefactStore.open(tmp_path, Key("new"))
    assert [store.folder.is_dir() for store in stores] == [True, False] + [True] * (KEEP - 2)


def test_a_folder_that_cannot_be_made_is_logged_once_and_nothing_is_kept(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with capture_logs() as logs:
        store = ArtefactStore.open(tmp_path / "file", KEY)
        store.keep("unet-1.blob", b"compiled")
    assert [log["event"] for log in logs] == ["artefacts cannot be kept"]
