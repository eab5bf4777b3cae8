"""After `make setup` the command is there: as a link on PATH, or by the line that activates .venv."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone with a command that prints its place; the folder has a space in its name."""
    return make_clone(tmp_path / "a clone")


def make_clone(folder: Path) -> Path:
    (folder / "scripts").mkdir(parents=True)
    shutil.copy(ROOT / "scripts/command", folder / "scripts/command")
    bin_ = folder / ".venv/bin"
    bin_.mkdir(parents=True)
    (bin_ / "sdstream").write_text(f"#!/bin/sh\necho {folder.name}\n")
    (bin_ / "sdstream").chmod(0o755)
    (bin_ / "activate").write_text(f'PATH="{bin_}:$PATH"\n')
    return folder


def run(clone: Path, home: Path, path: str, *arguments: str) -> str:
    environment = {"HOME": str(home), "PATH": path}
    command = [str(clone / "scripts/command"), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


def typed(line: str, home: Path, path: str) -> str:
    """Return what a shell prints for `line`."""
    environment = {"HOME": str(home), "PATH": path}
    return subprocess.run(["bash", "-c", line], env=environment, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def path(tmp_path: Path) -> str:
    return f"{tmp_path}/home/.local/bin{os.pathsep}/usr/bin{os.pathsep}/bin"


def test_the_command_runs_where_the_folder_of_the_user_is_on_path(clone: Path, tmp_path: Path, path: str):
    said = run(clone, tmp_path / "home", path)
    assert said == f"ready: type sdstream ({tmp_path}/home/.local/bin/sdstream)\n"
    assert typed("sdstream", tmp_path / "home", path) == "a clone\n"
    assert run(clone, tmp_path / "home", path) == said


def test_the_line_that_activates_is_said_where_it_is_not(clone: Path, tmp_path: Path):
    said = run(clone, tmp_path / "home", "/usr/bin:/bin")
    line = said.partition("type: ")[2].replace("; then: ", "; ")
    assert typed(line, tmp_path / "home", "/usr/bin:/bin") == "a clone\n"
    assert not (tmp_path / "home").exists()


def test_the_command_of_a_second_clone_stays(clone: Path, tmp_path: Path, path: str):
    run(make_clone(tmp_path / "first"), tmp_path / "home", path)
    assert "activate" in run(clone, tmp_path / "home", path)
    assert typed("sdstream", tmp_path / "home", path) == "first\n"
    run(clone, tmp_path / "home", path, "unlink")
    assert typed("sdstream", tmp_path / "home", path) == "first\n"


def test_a_link_to_a_clone_that_is_gone_is_replaced(clone: Path, tmp_path: Path, path: str):
    first = make_clone(tmp_path / "first")
    run(first, tmp_path / "home", path)
    shutil.rmtree(first)
    run(clone, tmp_path / "home", path)
    assert typed("sdstream", tmp_path / "home", path) == "a clone\n"


def test_a_clean_clone_leaves_no_link(clone: Path, tmp_path: Path, path: str):
    run(clone, tmp_path / "home", path)
    run(clone, tmp_path / "home", path, "unlink")
    assert list((tmp_path / "home/.local/bin").iterdir()) == []


def test_setup_ends_with_what_to_type():
    lines = (ROOT / "scripts/setup").read_text().splitlines()
    assert lines[-1] == "scripts/command link"
    assert any("exec scripts/command link" in line for line in lines)
