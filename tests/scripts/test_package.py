"""What a packager finds: metadata for an index, a manual page, a bill of materials, help that is whole."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command

from scripts import man, sbom
from sdstream.cli import models
from sdstream.cli.app import app
from sdstream.cli.bench import tree

package_metadata = pytest.importorskip("scripts.package_metadata", reason="hatchling builds the package")
ROOT = Path(__file__).parents[2]
HTTPS = "https:"
FORGE = f"{HTTPS}//forge.invalid/a/b"


@pytest.mark.parametrize(
    "told",
    [
        *(FORGE, f"{FORGE}.git", f"{FORGE}/", "git@forge.invalid:a/b.git", "ssh://git@forge.invalid/a/b.git"),
        f"{HTTPS}//user:password@forge.invalid/a/b",
    ],
)
def test_every_form_of_the_address_becomes_a_page(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, told: str):
    monkeypatch.setenv("SDSTREAM_REPOSITORY", told)
    assert package_metadata.repository(tmp_path) == FORGE


def test_the_address_is_of_origin_or_of_the_sdist(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.delenv("SDSTREAM_REPOSITORY", raising=False)
    assert package_metadata.repository(tmp_path) == ""
    (tmp_path / "PKG-INFO").write_text(f"Name: sdstream\nProject-URL: Source, {FORGE}\n")
    assert package_metadata.repository(tmp_path) == FORGE
    git = ["git", "-C", str(tmp_path)]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "remote", "add", "origin", "git@forge.invalid:c/d"], check=True)
    assert package_metadata.repository(tmp_path) == f"{HTTPS}//forge.invalid/c/d"


@pytest.mark.parametrize("address", [FORGE, ""])
def test_no_link_of_the_readme_on_an_index_is_relative(address: str):
    page = package_metadata.absolute((ROOT / "README.md").read_text(encoding="utf-8"), address)
    prose = re.sub(r"^```.*?^```|`[^`\n]*`", "", page, flags=re.DOTALL | re.MULTILINE)
    targets = re.findall(r"\]\(([^)\s]+)\)", prose)
    assert [target for target in targets if not re.match(r"https?://|#", target)] == []
    assert not address or f"{FORGE}/raw/HEAD/docs/showcase/show.webp" in targets


@pytest.mark.parametrize(
    ("page", "wanted"),
    [
        ("[a](docs/a.md#b)", f"[a]({FORGE}/blob/HEAD/docs/a.md#b)"),
        ("![a](a.png)", f"![a]({FORGE}/raw/HEAD/a.png)"),
        ("[![a](a.png)](docs/a.md)", f"[![a]({FORGE}/raw/HEAD/a.png)]({FORGE}/blob/HEAD/docs/a.md)"),
        ("`[a](b)` [x](#y) [z](ftp://z.invalid/)", "`[a](b)` [x](#y) [z](ftp://z.invalid/)"),
        ("[`a`](b)", f"[`a`]({FORGE}/blob/HEAD/b)"),
        ("```\n[a](b)\n```\n", "```\n[a](b)\n```\n"),
    ],
)
def test_links_become_absolute_and_code_stays(page: str, wanted: str):
    assert package_metadata.absolute(page, FORGE) == wanted


def test_the_manual_page_is_current_and_whole():
    assert man.PAGE.read_text(encoding="utf-8") == man.page(), "page is not current: run scripts/docs"
    for words in ("sdstream run", "sdstream models pull", "sdstream bench path", r"\-\-set", "69 something is missing"):
        assert words in man.page()


def test_the_bill_lists_the_libraries_with_versions_and_licences():
    bill = sbom.bill()
    found = {component["name"].lower(): component for component in bill["components"]}
    assert (bill["bomFormat"], bill["metadata"]["component"]["name"]) == ("CycloneDX", "sdstream")
    assert found.keys() >= {"av", "numpy", "pydantic", "pydantic_core", "typer"}
    assert "pytest" not in found
    assert all(component["version"] and component["licenses"] for component in found.values())
    assert found["av"]["purl"] == f"pkg:pypi/av@{found['av']['version']}"
    assert [name for name, component in found.items() if "unknown" in str(component["licenses"])] == []


TREES = {(): get_command(app), ("bench",): get_command(tree()), ("models",): get_command(models.models)}


@pytest.mark.parametrize("path", TREES)
@pytest.mark.parametrize("columns", ["60", "80", "200"])
def test_no_summary_of_the_help_is_cut(path: tuple[str, ...], columns: str):
    command = [sys.executable, "-m", "sdstream", *path, "--help"]
    told = {"COLUMNS": columns, "PYTHONPATH": str(ROOT)}
    out = subprocess.run(command, env=told, capture_output=True, text=True, check=True)
    text = " ".join(out.stdout.split())
    assert "..." not in text.replace("[ARGS]...", "")
    summaries = [
        " ".join((verb.help or "").split("\n\n")[0].split()).rstrip(".") for verb in TREES[path].commands.values()
    ]
    assert [summary for summary in summaries if summary not in text] == []


@pytest.mark.parametrize(("typed", "offered"), [("sdstream in", "init"), ("sdstream models p", "pull")])
def test_a_shell_completes_the_verbs(typed: str, offered: str):
    words = {"COMP_WORDS": typed, "COMP_CWORD": str(typed.count(" ")), "_SDSTREAM_COMPLETE": "complete_bash"}
    command = [sys.executable, "-m", "sdstream"]
    answer = subprocess.run(command, env=words | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True)
    assert offered in answer.stdout.split()
