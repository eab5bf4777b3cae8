"""Every block of the README and the guide is checked: commands exist with these options, and the first hour runs."""

import re
import shlex
from pathlib import Path

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from sdstream.cli.app import app
from sdstream.cli.bench import tree
from tests.cli.command_line import Sdstream

ROOT = Path(__file__).parents[2]
PAGES = ("README.md", "docs/guide.md")
ORDER = ["Two commands", "On air with OBS in ten minutes", "Models", "When something is wrong", "More", "Licences"]
LONGEST = 140
"""Lines of the README: what does not fit belongs into docs/."""
TARGETS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
PROGRAMS = {"sudo", "pip", "git", "source", "obs", "make", "sdstream", "cd", "python"}


def text(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page: str) -> list[str]:
    """Return the lines of the indented blocks, without the comments."""
    prose = re.sub(r"^```.*?^```", "", text(page), flags=re.DOTALL | re.MULTILINE)
    return re.findall(r"^(?: {7}| {4})(?! )(.+)$", prose, re.MULTILINE)


def commands(page: str) -> list[str]:
    """Return each command of the page: those in blocks, and those of sdstream and make in the text."""
    quoted = re.findall(r"`((?:sdstream|make) [^`]+)`", text(page))
    parts = [part.strip() for line in blocks(page) for part in line.partition("  #")[0].split("&&")]
    return list(dict.fromkeys([*parts, *quoted]))


ALL = [(page, command) for page in PAGES for command in commands(page)]


@pytest.mark.parametrize(("page", "command"), ALL)
def test_a_command_on_a_page_exists_with_these_options(page: str, command: str):
    words = shlex.split(command.replace("$(uname -r)", "6").replace("…", "x"))
    assert words[0] in PROGRAMS
    if words[0] == "make":
        assert words[1] in TARGETS
    if words[0] == "sdstream":
        check_verb(words[1:])


def check_verb(words: list[str]) -> None:
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    while isinstance(group, TyperGroup) and words and not words[0].startswith("-"):
        assert words[0].strip("[],") in group.commands, words
        name, words = words[0], words[1:]
        group = get_command(tree()) if name == "bench" and words else group.commands[name]
    known = {option for parameter in group.params for option in parameter.opts} | {"-h", "--help"}
    assert {word.partition("=")[0] for word in words if word.startswith("-")} <= known


@pytest.mark.parametrize("page", PAGES)
def test_every_block_is_of_a_kind_that_is_checked(page: str):
    languages = re.findall(r"^```(\w*)\n", text(page), re.MULTILINE)[::1]
    assert set(languages) <= {"yaml", ""}
    assert commands(page)


def test_the_readme_is_short_and_in_order():
    page = text("README.md")
    assert len(page.splitlines()) <= LONGEST
    assert re.findall(r"^## (.+)$", page, re.MULTILINE) == ORDER
    assert page.index("docs/showcase/show.webp") < page.index("## Two commands") < page.index("make demo")


def test_the_commands_of_the_first_steps_run_as_written(
    sdstream: Sdstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    steps = [shlex.split(line) for line in blocks("README.md") if line.startswith("sdstream")]
    assert [words[1] for words in steps] == ["init", "check", "doctor", "run"]
    assert sdstream(*steps[0][1:]).out.startswith("wrote show.yaml; next: sdstream check show.yaml")
    checked = sdstream(*steps[1][1:])
    assert (checked.status, checked.out.splitlines()[0]) == (0, "ok: show.yaml")
    assert "Server rtmp://127.0.0.1:1935/live, Stream Key: any" in checked.out
    assert "http://127.0.0.1:8400/" in checked.out


def test_what_the_readme_quotes_is_what_sdstream_says():
    said = "".join(
        file.read_text(encoding="utf-8")
        for file in (ROOT / "sdstream").rglob("*.py")
        if "__pycache__" not in file.parts
    )
    for words in ("the publisher is here", "compiling", "Service Custom"):
        assert words in said
    assert "rtmp://127.0.0.1:1935/live" in text("README.md")
