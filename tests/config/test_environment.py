"""Where secrets come from."""

import os
from pathlib import Path

import pytest

from sdstream.config.environment import read_env_file, secrets_environment
from sdstream.config.load import loads
from sdstream.config.sources import RtmpSourceSettings
from sdstream.errors import ConfigError, Unavailable

SHOW = """version: 1
source: {kind: rtmp, listen: "127.0.0.1:1935", key: "${SHOW_KEY}"}
engine: {kind: passthrough}
sinks: [{kind: discard}]
"""


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", {name: value for name, value in os.environ.items() if "KEY" not in name})


def key() -> str:
    source = loads(SHOW, "show.yaml").source
    assert isinstance(source, RtmpSourceSettings)
    assert source.key is not None
    return source.key.get_secret_value()


def test_a_credential_of_the_service_manager_is_a_secret(tmp_path: Path) -> None:
    (tmp_path / "SHOW_KEY").write_text("from-a-credential\n")
    os.environ["CREDENTIALS_DIRECTORY"] = str(tmp_path)
    assert key() == "from-a-credential"
    os.environ["SHOW_KEY"] = "from-the-environment"
    assert key() == "from-the-environment"


def test_what_is_no_small_text_is_no_credential(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "LARGE").write_text("x" * 5000)
    (tmp_path / "BYTES").write_bytes(b"\xff")
    os.mkfifo(tmp_path / "PIPE")
    os.environ["CREDENTIALS_DIRECTORY"] = str(tmp_path)
    assert not {"folder", "LARGE", "BYTES", "PIPE"} & secrets_environment().keys()
    os.environ["CREDENTIALS_DIRECTORY"] = str(tmp_path / "missing")
    with pytest.raises(ConfigError, match="--env-file"):
        key()


def test_a_file_of_variables_gives_secrets_and_the_environment_counts_more(tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_text("# keys\nexport SHOW_KEY='quoted $HOME #1'\nOTHER_KEY=b\nEMPTY\n")
    os.environ["OTHER_KEY"] = "stays"
    read_env_file(file)
    assert (key(), os.environ["OTHER_KEY"]) == ("quoted $HOME #1", "stays")


def test_a_file_of_variables_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"--env-file .*missing"):
        read_env_file(tmp_path / "missing")
