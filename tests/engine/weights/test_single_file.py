"""A single file of a folder or of a repository: named, found and fetched alone, or refused with the choice."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sdstream.engine.weights.single_file import locate_file
from sdstream.errors import Unavailable
from tests.engine.weights.hub import Hub

FAST, SLOW, DEEP = "Some-1step-lora.safetensors", "Some-8steps-lora.safetensors", "more/Other [v1].safetensors"
SETTING = "engine.loras.fast"


def find(name: object, file: str | None = None) -> Path:
    return locate_file(str(name), file, "LoRA", SETTING)


def filled(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    return folder


@pytest.mark.parametrize("file", [FAST, DEEP, "Other [v1].safetensors"])
@pytest.mark.parametrize("colons", [True, False])
def test_a_file_of_a_folder_is_named_in_both_ways(tmp_path, file, colons):
    folder = filled(tmp_path, FAST, SLOW, DEEP)
    found = find(f"{folder}::{file}") if colons else find(folder, file)
    assert found.name == Path(file).name


@pytest.mark.parametrize("usual", ["pytorch_lora_weights.safetensors", "adapter_model.safetensors"])
def test_the_usual_file_of_a_library_is_taken_among_several(tmp_path, usual):
    assert find(filled(tmp_path, "embedding.safetensors", usual)).name == usual


def test_a_file_alone_is_taken(tmp_path):
    assert find(filled(tmp_path, FAST, "README.md")) == tmp_path / FAST
    assert find(tmp_path / FAST) == tmp_path / FAST


@pytest.mark.parametrize(
    ("names", "file", "said"),
    [
        ((FAST, SLOW), None, rf"has 2 files: set engine\.loras\.fast\.file to one of: {FAST}, {SLOW}"),
        ((FAST, SLOW), "none.safetensors", rf"no single file none\.safetensors.*{FAST}"),
        (("a/x.safetensors", "b/x.safetensors"), "x.safetensors", r"a/x\.safetensors, b/x\.safetensors"),
        (("lora.bin",), None, r"lora\.bin is a pickle"),
        ((FAST, "lora.bin"), "lora.bin", "is a pickle"),
        (("README.md",), None, r"no \.safetensors file"),
        (tuple(f"{k:02}.safetensors" for k in range(30)), None, "19.safetensors and 10 more"),
    ],
)
def test_a_folder_without_a_choice_is_refused_with_the_names(tmp_path, names, file, said):
    with pytest.raises(Unavailable, match=said):
        find(filled(tmp_path, *names), file)


def test_a_second_name_beside_a_file_is_refused(tmp_path):
    filled(tmp_path, FAST)
    with pytest.raises(Unavailable, match="remove the name of a second file"):
        find(tmp_path / FAST, SLOW)


@pytest.mark.parametrize("name", ["nothing here", "/no/such/folder", "no/such/folder/x.safetensors::y"])
def test_a_name_of_nothing_is_refused(name):
    with pytest.raises(Unavailable, match="LoRA"):
        find(name)


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    published = filled(tmp_path / "published", FAST, SLOW, DEEP, "adapter_config.json")
    (published / "README.md").write_text("---\nlicense: openrail++\n---\n")
    with Hub(published) as server:
        yield server


@pytest.fixture
def located(hub: Hub, tmp_path: Path) -> Callable[..., tuple[str, set[str]]]:
    """Locate a file in a process that knows no hub but the stand-in; return what was said and what was fetched."""
    ours = {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home"), "HF_HUB_DISABLE_XET": "1"}
    code = (
        "import sys, json; from sdstream.engine.weights.single_file import locate_file as f\n"
        "try: print('found', f(*json.loads(sys.argv[1]), 'LoRA', 'engine.loras.a'))\n"
        "except Exception as error: print(type(error).__name__, error)"
    )

    def run(name: str, file: str | None = None, *, offline: bool = False) -> tuple[str, set[str]]:
        environment = {**os.environ, **ours, "HF_HUB_OFFLINE": str(int(offline))}
        arguments = [sys.executable, "-c", code, json.dumps([name, file])]
        said = subprocess.run(arguments, env=environment, capture_output=True, text=True, check=True).stdout
        fetched = {path.name for path in tmp_path.glob("home/hub/models--*/snapshots/*/**/*") if path.is_file()}
        return said, fetched

    return run


def test_a_repository_of_several_is_refused_with_the_names_before_any_download(located):
    said, fetched = located("some/model")
    assert said.startswith("Unavailable")
    assert all(name in said for name in (FAST, SLOW, DEEP))
    assert not fetched


@pytest.mark.parametrize(
    ("name", "file"),
    [
        (f"some/model::{FAST}", None),
        (f"some/model/{FAST}", None),
        ("some/model", FAST),
        (f"some/model::{DEEP}", None),
        (f"some/model/{DEEP}", None),
    ],
)
def test_only_the_named_file_of_a_repository_is_fetched_and_found_again_without_a_network(located, name, file):
    said, fetched = located(name, file)
    chosen = Path(file or name.split("::")[-1]).name
    assert "licence openrail++" in said
    assert f"/{chosen}" in said.splitlines()[-1]
    assert {path for path in fetched if path.endswith(".safetensors")} == {chosen}
    again, _ = located(name, file, offline=True)
    assert again.splitlines()[-1] == said.splitlines()[-1]


def test_a_file_that_was_not_fetched_is_refused_without_a_network(located):
    located(f"some/model::{FAST}")
    said, _ = located(f"some/model::{SLOW}", offline=True)
    assert said.startswith("Unavailable")
    assert SLOW in said
