"""Models are fetched from the hub, here a stand-in on the loopback."""

import json
import os
import shutil
import subprocess
import sys
from ast import literal_eval
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from unittest.mock import Mock

import pytest

from sdstream.engine.weights import hub_store
from sdstream.errors import Unavailable
from tests.engine.weights.hub import Hub


@pytest.fixture
def hub(tiny_model: Path, tmp_path: Path) -> Iterator[Hub]:
    published = Path(shutil.copytree(tiny_model, tmp_path / "published"))
    (published / "README.md").write_text("---\nlicense: openrail++\n---\n")
    (published / "model.safetensors").write_bytes(b"the same weights once more, as one file")
    with Hub(published) as server:
        yield server


@pytest.fixture
def python_at(tmp_path: Path) -> Callable[[Hub], Callable[..., subprocess.CompletedProcess[str]]]:
    """Run Python in a process that knows no hub but the stand-in: the hub's library reads that once."""
    ours = {"HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1"}

    def at(hub: Hub) -> Callable[..., subprocess.CompletedProcess[str]]:
        def run(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
            environment = {**os.environ, **ours, "HF_ENDPOINT": hub.url, **more}
            command = [sys.executable, *arguments]
            return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

        return run

    return at


@pytest.fixture
def python(hub: Hub, python_at) -> Callable[..., subprocess.CompletedProcess[str]]:
    return python_at(hub)


@pytest.fixture
def models(python) -> Callable[..., subprocess.CompletedProcess[str]]:
    return partial(python, "-m", "sdstream", "models")


def test_a_show_that_fetches_its_model_by_itself_tells_the_licence_the_first_time(python):
    show = "from sdstream.engine.weights.files import MODEL, locate; locate('some/model', 'model', MODEL)"
    first, second = python("-c", show), python("-c", show)
    assert "openrail++" in first.stdout
    assert (second.returncode, second.stdout) == (0, "")


def test_a_model_is_fetched_with_its_licence_told_and_listed_and_verified_without_a_network(models):
    pulled = models("pull", "some/model")
    assert pulled.returncode == 0, pulled.stderr
    assert "openrail++" in pulled.stdout
    listed = json.loads(models("list", "--json", HF_HUB_OFFLINE="1").stdout)
    assert [one["name"] for one in listed["models"] if one["origin"] == "hub"] == ["some/model"]
    verified = models("verify", "some/model", "--json", HF_HUB_OFFLINE="1")
    states = {one["file"]: one["state"] for one in json.loads(verified.stdout)["files"]}
    assert states["unet/diffusion_pytorch_model.safetensors"] == "matches"
    assert "model.safetensors" not in states


COUNTING = """
from sdstream.engine.weights.hub_store import pull
from sdstream.ipc.progress import heard_by

heard = []
with heard_by(lambda phase, step, steps: heard.append((phase.name, step, steps))):
    pull("some/model")
print(heard)
"""


def test_the_megabytes_of_a_fetch_are_counted_and_the_bars_of_the_client_are_not_drawn(tiny_model, tmp_path, python_at):
    published = Path(shutil.copytree(tiny_model, tmp_path / "large"))
    (published / "unet" / "large.safetensors").write_bytes(bytes(12_300_000))
    size = sum(file.stat().st_size for file in published.rglob("*") if file.is_file())
    with Hub(published) as hub:
        first, second = (python_at(hub)("-c", COUNTING, TQDM_POSITION="-1") for _ in range(2))
    heard = literal_eval(first.stdout.splitlines()[-1])
    fetching = [(step, steps) for name, step, steps in heard if name == "FETCHING"]
    assert fetching[-1] == (size // 1_000_000, -(-size // 1_000_000))
    assert fetching == sorted(fetching)
    assert heard[-1] == ("STARTING", 0, 0)
    assert "%" not in first.stderr
    assert second.stdout.splitlines()[-1] == "[]"


def test_a_fetched_file_that_changed_on_disk_is_found(models, tmp_path):
    assert models("pull", "some/model").returncode == 0
    (weights,) = tmp_path.glob("home/hub/models--*/snapshots/*/unet/*.safetensors")
    blob = weights.resolve()
    blob.write_bytes(blob.read_bytes()[:-1] + b"x")
    verified = models("verify", "some/model", HF_HUB_OFFLINE="1")
    assert verified.returncode == 69
    assert "unet/diffusion_pytorch_model.safetensors" in verified.stderr


def test_a_model_that_the_hub_does_not_have_is_refused(models):
    pulled = models("pull", "some/other")
    assert pulled.returncode == 69
    assert "some/other" in pulled.stderr


@pytest.mark.parametrize(("name", "reason"), [("mini", "no hub id"), ("some/thing", "models pull some/thing")])
def test_a_model_that_cannot_be_fetched_is_refused(name, reason):
    with pytest.raises(Unavailable, match=reason):
        hub_store.pull(name)


def transport_error() -> Exception:
    """Return an error of the HTTP library beneath huggingface_hub, whichever library that is."""
    from huggingface_hub.errors import HfHubHTTPError

    return next(base for base in HfHubHTTPError.__mro__ if base.__name__ == "HTTPError")("cut")


@pytest.mark.parametrize(
    "error",
    [
        lambda: AttributeError("no client"),
        lambda: OSError("no space"),
        lambda: RuntimeError("closed"),
        transport_error,
    ],
    ids=["attribute", "os", "runtime", "transport"],
)
def test_a_fetch_that_breaks_off_is_unavailable_and_no_bug(monkeypatch, error):
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub, "snapshot_download", Mock(side_effect=error()))
    with pytest.raises(Unavailable, match="models pull some/thing"):
        hub_store.pull("some/thing")
