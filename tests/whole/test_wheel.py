"""The wheel holds everything for a first show without a network."""

import json
import os
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import network
from tests.harness.network import Network

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
WANTED = {
    "sdstream/clip/clip.mp4",
    "sdstream/clip/CREDITS.md",
    "sdstream/config/start.yaml",
    "sdstream/share/configs/schema.json",
    "sdstream/share/configs/twitch.yaml",
    "sdstream/share/docs/configuration.md",
    "sdstream-0.1.0.data/data/share/man/man1/sdstream.1",
    "sdstream/models/mini/CREDITS.md",
    "sdstream/models/mini/unet/diffusion_pytorch_model.safetensors",
    "sdstream/sinks/preview/page.html",
}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("hatchling", reason="the wheel is built with hatchling: scripts/setup test")
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=100)
    return next(folder.glob("sdstream-*.whl"))


@pytest.fixture
def offline() -> Iterator[Network]:
    if reason := network.missing():
        pytest.skip(reason)
    with network.private_network() as made:
        yield made


def test_the_wheel_holds_model_and_clip_and_page_and_no_workshop(wheel: Path):
    with zipfile.ZipFile(wheel) as opened:
        names = {info.filename for info in opened.infolist()}
        model = sum(info.file_size for info in opened.infolist() if info.filename.startswith("sdstream/models/"))
    assert names >= WANTED
    assert names >= {f"sdstream/share/docs/{page.name}" for page in (ROOT / "docs").glob("*.md")}
    assert {name.split("/")[0].partition("-")[0] for name in names} == {"sdstream"}
    assert not {name for name in names if "train" in name or "test" in name.rpartition("/")[2].split("_")}
    assert model <= 25 * 2**20


@pytest.mark.timeout(400)
def test_an_installed_wheel_runs_the_demo_with_the_network_off(wheel: Path, offline: Network, tmp_path: Path):
    fresh = tmp_path / "fresh"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(fresh)], check=True, timeout=60)
    python = fresh / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-index", "--no-deps"]
    subprocess.run([*pip, str(wheel)], check=True, timeout=60)
    # what it depends on comes from here; a folder named in a .pth file has its own .pth files left alone
    places = {key: sysconfig.get_path(key) for key in ("purelib", "platlib")}
    site = next(fresh.glob("lib/python*/site-packages"))
    (site / "elsewhere.pth").write_text("\n".join(dict.fromkeys(places.values())))
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "LANG": "C.UTF-8", "OMP_NUM_THREADS": "2"}
    whose = [str(python), "-c", "import sdstream; print(sdstream.__file__)"]
    told = subprocess.run(whose, check=True, capture_output=True, text=True, env=environment, cwd=tmp_path)
    assert told.stdout.startswith(str(site))
    demo = offline.command(str(fresh / "bin" / "sdstream"), "demo", "--for", "4", "--json")
    answer = subprocess.run(demo, capture_output=True, text=True, env=environment, cwd=tmp_path, check=False)
    assert answer.returncode == 0, answer.stderr
    report = json.loads(answer.stdout)
    assert {sink["kind"] for sink in report["sinks"]} >= {"ffmpeg", "preview"}
    assert all(sink["live"] for sink in report["sinks"])
    assert (tmp_path / report["sheet"]).stat().st_size > 10_000
