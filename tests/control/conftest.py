"""A run on air with a control server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.control_client import READ_TOKEN, TOKEN, Client, connected, start


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder = tmp_path_factory.mktemp("control")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(folder))
        presets = str(folder / "presets.json")
        with start(token=TOKEN, read_token=READ_TOKEN, presets=presets, hosts=["show.example"]) as run:
            yield connected(run)


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path
