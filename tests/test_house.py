"""The habits of the house, as far as a machine can see them."""

import ast
import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from sdstream.config.load import loads

ROOT = Path(__file__).parents[1]
PYTHON = sorted(file for room in ("sdstream", "tests", "scripts") for file in (ROOT / room).rglob("*.py"))
SHIPPED = [file for file in PYTHON if file.is_relative_to(ROOT / "sdstream")]
TESTED = [file for file in PYTHON if file.is_relative_to(ROOT / "tests")]
KEYS = {"SDSTREAM_KEY": "in", "TWITCH_KEY": "out", "SRT_PASSPHRASE": "of ten letters"}
VAGUE = {"utils", "util", "helpers", "helper", "common", "manager", "wrapper", "misc"}
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")])
HOSTS = {
    "deb.debian.org",
    "deck.example",
    "evil.example",
    "json-schema.org",
    "www.apache.org",
    "huggingface.co",
    "www.w3.org",
}
"""Hosts that a file here may name with http or https; whoever adds one has looked at it."""


def named(file: Path) -> str:
    return str(file.relative_to(ROOT))


def tracked() -> list[Path]:
    """Return the text files that git knows."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    files = [ROOT / name for name in listed.stdout.split("\0") if name]
    return [file for file in files if file.is_file() and b"\0" not in file.read_bytes()[:4096]]


def test_a_file_is_one_concept():
    long = [named(file) for file in PYTHON if len(file.read_text(encoding="utf-8").splitlines()) > 300]
    vague = [named(file) for file in PYTHON if VAGUE & set(file.stem.split("_"))]
    assert (long, vague) == ([], [])


def test_functions_are_short_and_ask_for_little():
    functions = [
        (f"{named(file)}: {node.name}", node)
        for file in PYTHON
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    long = [name for name, node in functions if node.end_lineno - node.lineno >= 50]
    wide = [name for name, node in functions if len(node.args.args) + len(node.args.kwonlyargs) > 8]
    assert (long, wide) == ([], [])


def test_rooms_are_small():
    rooms = Counter(file.parent for file in SHIPPED)
    full = {named(room): count for room, count in rooms.items() if count > 20 and room.name != "cli"}
    assert full == {}
    assert rooms[ROOT / "sdstream"] <= 8


def test_a_module_opens_with_what_it_knows():
    opening = [*SHIPPED, *(file for file in TESTED if file.name != "__init__.py")]
    openings = {named(file): ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) for file in opening}
    assert [name for name, opening in openings.items() if not opening] == []


def test_no_test_module_is_imported():
    imported = re.compile(r"^\s*(from|import) tests\.[\w.]*\b(test_\w+|conftest)\b", re.MULTILINE)
    assert [named(file) for file in TESTED if imported.search(file.read_text(encoding="utf-8"))] == []


def test_a_line_of_the_readme_tells_of_every_module_of_the_harness():
    folder = ROOT / "tests" / "harness"
    told = re.findall(r"^\| `(\w+\.py)` \|", (folder / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert told == sorted(file.name for file in folder.glob("*.py") if file.name != "__init__.py")


def test_a_broad_except_stands_in_three_places_only():
    broad = [named(file) for file in SHIPPED if re.search(r"except (Base)?Exception\b|except:", file.read_text())]
    assert broad == [
        "sdstream/cli/__init__.py",
        "sdstream/cli/config_follower.py",
        "sdstream/supervisor/stage_process.py",
    ]


def test_time_is_monotonic_and_processes_are_spawned():
    banned = re.compile(r"\btime\.time\(|datetime\.now\(|os\.fork\(|get_context\(\"fork")
    assert [named(file) for file in SHIPPED if banned.search(file.read_text(encoding="utf-8"))] == []


@pytest.mark.parametrize("file", sorted((ROOT / "configs").glob("*.yaml")), ids=named)
def test_every_example_is_a_configuration(file: Path):
    text = file.read_text(encoding="utf-8")
    assert text.startswith("# yaml-language-server: $schema=./schema.json\n")
    loads(text, named(file), (), KEYS)


def test_the_default_configuration_is_what_init_writes():
    written = ROOT / "sdstream/config/start.yaml"
    assert (ROOT / "configs/default.yaml").read_text(encoding="utf-8") == written.read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_yaml_on_a_page_is_a_configuration(page: Path):
    for block in re.findall(r"^```yaml\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE):
        loads(block, named(page), (), KEYS)


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_between_pages_lead_somewhere(page: Path):
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)[^)]*\)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_no_file_names_a_host_that_was_not_looked_at():
    found = {
        (named(file), host)
        for file in tracked()
        if file.name != "CREDITS.md"  # it says where each picture came from
        for host in re.findall(r"https?://([\w.-]+\.[a-z]{2,})\b", file.read_text(encoding="utf-8"))
    }
    assert {(file, host) for file, host in found if host not in HOSTS} == set()


def test_no_file_names_a_path_of_one_machine():
    found = [
        named(file) for file in tracked() if re.search(r"(?<![\w.])/(root|work|opt)/", file.read_text(encoding="utf-8"))
    ]
    assert found == []
