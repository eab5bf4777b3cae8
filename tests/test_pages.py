"""The pages about the house name files that are there, every room, and every word once."""

import ast
import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = ("CONTRIBUTING.md", "docs/architecture.md", "docs/extending.md", "docs/words.md")
ROOMS = sorted(file.parent for file in (ROOT / "sdstream").rglob("__init__.py"))
SUFFIX = r"\.(py|md|yaml|toml|json|txt|svg|safetensors)"


def named_paths(page: str) -> set[str]:
    """Return what stands in backticks and looks like a path; NAME in it stands for a name to choose."""
    text = re.sub(r"^```.*?^```", "", (ROOT / page).read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    quoted = re.findall(r"`([\w./-]+)`", text)
    return {path for path in quoted if re.search(rf"/|{SUFFIX}$", path) and "NAME" not in path}


@pytest.mark.parametrize("page", PAGES)
def test_every_path_on_a_page_is_there(page: str):
    roots = (ROOT, ROOT / "sdstream")
    missing = {path for path in named_paths(page) if not any((root / path).exists() for root in roots)}
    assert missing == set()


@pytest.mark.parametrize("room", ROOMS[1:], ids=lambda room: str(room.relative_to(ROOT / "sdstream")))
def test_the_architecture_page_names_every_room(room: Path):
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    assert f"`{room.relative_to(ROOT / 'sdstream')}/`" in page


def test_the_package_maps_every_room_of_the_first_floor():
    map_ = ast.get_docstring(ast.parse((ROOT / "sdstream/__init__.py").read_text(encoding="utf-8"))) or ""
    assert [room.name for room in ROOMS[1:] if room.parent == ROOMS[0] and f"`{room.name}`" not in map_] == []


def test_the_architecture_page_shows_the_flow():
    shown = re.findall(r"""(?:src|srcset)="([^"]+)\"""", (ROOT / "docs/architecture.md").read_text(encoding="utf-8"))
    assert [name for name in shown if not (ROOT / "docs" / name).exists()] == []
    assert len(shown) == 2


def test_a_word_is_explained_once():
    words = re.findall(r"^- \*\*(.+?)\*\*:", (ROOT / "docs/words.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert [word for word, times in Counter(words).items() if times > 1] == []
    assert len(words) > 80
