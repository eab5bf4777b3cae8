"""The line to type for a library fits the clone, wheel or index that this copy came from."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from sdstream.system.installation import extra_line, pip_line

ROOT = Path(__file__).parents[2]
ASK = "from sdstream.system.installation import extra_line; print(extra_line('ndi'))"
METADATA = """Metadata-Version: 2.1
Name: sdstream
Version: 0.1
Requires-Dist: numpy>=2
Requires-Dist: ndi-python>=6; extra == 'ndi'
Requires-Dist: sdstream[ndi,virtualcam]; extra == 'all'
Requires-Dist: pyvirtualcam>=0.13; extra == 'virtualcam'
"""
WHEEL = '{{"url": "file://{place}", "archive_info": {{}}}}'
FOLDER = '{{"url": "file://{place}", "dir_info": {{}}}}'
GIT = '{{"url": "ssh://forge.invalid/a.git", "vcs_info": {{"vcs": "git", "commit_id": "abc"}}}}'
WEB = '{{"url": "ftp://forge.invalid/sdstream.whl", "archive_info": {{}}}}'


def installed(site: Path, direct_url: str, ask: str = ASK) -> list[str]:
    """Return the words of the line that a copy in the folder `site` tells."""
    (site / "sdstream/system").mkdir(parents=True)
    for name in ("__init__.py", "errors.py", "system/__init__.py", "system/installation.py"):
        (site / "sdstream" / name).write_bytes((ROOT / "sdstream" / name).read_bytes())
    info = site / "sdstream-0.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(METADATA)
    if direct_url:
        (info / "direct_url.json").write_text(direct_url)
    program = f"import sys; sys.path.insert(0, {str(site)!r}); {ask}"
    answer = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True)
    return shlex.split(answer.stdout)


def test_a_clone_is_installed_again_from_its_folder():
    assert shlex.split(extra_line("ndi"))[-2:] == ["-e", f"{ROOT}[ndi]"]


def test_a_line_calls_the_pip_of_this_python():
    assert shlex.split(pip_line("av>=18")) == [sys.executable, "-m", "pip", "install", "av>=18"]


@pytest.mark.parametrize(
    ("direct_url", "wanted"),
    [
        ("", "sdstream[ndi]"),
        (GIT.format(), "sdstream[ndi] @ git+ssh://forge.invalid/a.git@abc"),
        (WEB.format(), "sdstream[ndi] @ ftp://forge.invalid/sdstream.whl"),
    ],
)
def test_an_index_or_a_server_is_asked_again(tmp_path: Path, direct_url: str, wanted: str):
    assert installed(tmp_path, direct_url)[-1] == wanted


@pytest.mark.parametrize("direct_url", [WHEEL, FOLDER])
def test_a_wheel_or_a_folder_that_is_still_there_is_installed_again(tmp_path: Path, direct_url: str):
    place = tmp_path / "my wheels"
    place.mkdir()
    url = direct_url.format(place=str(place).replace(" ", "%20"))
    assert installed(tmp_path / "site", url)[-1] == f"{place}[ndi]"


def test_the_libraries_are_named_when_the_wheel_is_gone(tmp_path: Path):
    assert installed(tmp_path, WHEEL.format(place="/nowhere/sdstream.whl"))[-1] == "ndi-python>=6"


def test_an_extra_of_extras_names_all_their_libraries(tmp_path: Path):
    ask = "from sdstream.system.installation import requirements; print(*requirements('all'))"
    assert installed(tmp_path, "", ask) == ["ndi-python>=6", "pyvirtualcam>=0.13"]
