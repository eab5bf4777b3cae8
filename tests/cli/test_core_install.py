"""Without the extras, every verb names the line to type for a missing library, before any stage starts."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sdstream.system.installation import MODULES

BLOCK = f"""
import sys
class _Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {sorted(module for modules in MODULES.values() for module in modules)}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, _Absent())
"""
CONFIG = "version: 1\nsource: {SOURCE}\nengine: {ENGINE}\nsinks: [{SINK}]\n"
PARTS = {"SOURCE": "{kind: testsrc}", "ENGINE": "{kind: passthrough}", "SINK": "{kind: discard}"}


@pytest.fixture
def core(tmp_path: Path) -> dict[str, str]:
    """The environment of a Python without the libraries of the extras, in all its processes."""
    (tmp_path / "sitecustomize.py").write_text(BLOCK)
    root = str(Path(__file__).parents[2])
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), root])}


def call(environment: dict[str, str], folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sdstream", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder, timeout=60, check=False)


@pytest.mark.parametrize(
    ("arguments", "extra"),
    [
        (("models", "list"), "diffusion"),
        (("models", "pull", "stabilityai/sd-turbo"), "diffusion"),
        (("models", "verify", "mini"), "diffusion"),
        (("bench", "engine"), "diffusion"),
        (("bench", "paper"), "diffusion"),
        (("bench", "path", "--model", "mini@64x64"), "diffusion"),
        (("bench", "path", "--sink", "ndi"), "ndi"),
        (("demo",), "diffusion"),
    ],
)
def test_a_verb_without_the_extra_names_the_line_to_type(
    core: dict[str, str], tmp_path: Path, arguments: tuple[str, ...], extra: str
):
    folder = tmp_path / "here"
    folder.mkdir()
    answer = call(core, folder, *arguments)
    assert (answer.returncode, answer.stdout) == (69, "")
    assert f"[{extra}]'" in answer.stderr
    assert f"{sys.executable} -m pip install" in answer.stderr
    assert "bug" not in answer.stderr
    assert answer.stderr.count("\n") == 1
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("part", "settings", "extra"),
    [
        ("SOURCE", "{kind: ndi, name: A}", "ndi"),
        ("ENGINE", "{model: mini}", "diffusion"),
        ("SINK", "{kind: ndi, name: A}", "ndi"),
        ("SINK", "{kind: virtualcam}", "virtualcam"),
    ],
)
def test_a_run_without_the_extra_starts_no_stage(
    core: dict[str, str], tmp_path: Path, part: str, settings: str, extra: str
):
    file = tmp_path / "show.yaml"
    file.write_text(CONFIG.format(**PARTS | {part: settings}))
    answer = call(core, tmp_path, "run", str(file), "--for", "2")
    assert (answer.returncode, answer.stdout) == (69, "")
    assert f"[{extra}]'" in answer.stderr
    assert answer.stderr.count("\n") == 1


def test_a_run_without_the_extra_of_an_optional_sink_goes_on_air(core: dict[str, str], tmp_path: Path):
    file = tmp_path / "show.yaml"
    file.write_text(CONFIG.format(**PARTS | {"SINK": "{kind: discard}, {kind: ndi, name: A, optional: true}"}))
    answer = call(core, tmp_path, "run", str(file), "--for", "3")
    assert answer.returncode == 0
    assert "[ndi]'" in answer.stderr


@pytest.mark.parametrize("verb", [("sources", "--for", "0.1"), ("sinks",), ("check",), ("bench", "-h")])
def test_a_verb_that_needs_no_extra_works(core: dict[str, str], tmp_path: Path, verb: tuple[str, ...]):
    (tmp_path / "show.yaml").write_text(CONFIG.format(**PARTS))
    arguments = (*verb, str(tmp_path / "show.yaml")) if verb == ("check",) else verb
    answer = call(core, tmp_path, *arguments)
    assert answer.returncode == 0
    assert "bug" not in answer.stderr
