"""`init` asks nothing, and writes a file that runs everywhere, with the source that was asked for."""

import json
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from pydantic import SecretStr

from sdstream.cli.needs import needs
from sdstream.cli.start_sources import with_source
from sdstream.config.load import load, loads
from sdstream.config.printing.document import schema_text
from sdstream.errors import ConfigError, Unavailable
from sdstream.system import installation
from tests.cli.command_line import Sdstream

START = (Path(__file__).parents[2] / "sdstream/config/start.yaml").read_text(encoding="utf-8")


def test_init_writes_a_file_that_passes_check_and_is_not_overwritten_by_chance(sdstream: Sdstream, tmp_path: Path):
    file = tmp_path / "new.yaml"
    assert sdstream("init", str(file)).status == 0
    assert sdstream("check", str(file)).status == 0
    file.write_text("mine")
    refused = sdstream("init", str(file))
    assert (refused.status, file.read_text()) == (ConfigError.exit_code, "mine")
    assert f"sdstream init --force {file}" in refused.err
    assert sdstream("init", "--force", str(file)).status == 0
    assert file.read_text() != "mine"


def test_init_into_a_folder_that_is_not_there_says_so(sdstream: Sdstream, tmp_path: Path):
    answer = sdstream("init", str(tmp_path / "none" / "new.yaml"))
    assert answer.status == ConfigError.exit_code
    assert "cannot be written" in answer.err


def test_the_file_shows_a_page_and_leaves_out_what_the_machine_lacks(sdstream: Sdstream, tmp_path: Path):
    file = tmp_path / "new.yaml"
    sdstream("init", str(file))
    sinks = load(file).sinks
    assert [(sink.kind, sink.optional) for sink in sinks] == [("preview", False), ("virtualcam", True), ("ndi", True)]


@pytest.mark.parametrize(("module", "there"), [("", True), ("uvicorn", False)])
def test_the_control_server_is_on_where_its_extra_is_installed(sdstream, tmp_path, monkeypatch, module, there):
    monkeypatch.setattr(installation, "missing_module", lambda extra: module if extra == "control" else "")
    file = tmp_path / "new.yaml"
    sdstream("init", str(file))
    control = load(file).control
    assert (control is not None) == there
    assert "control: {}" in file.read_text()
    assert ("control" in {need.part for need in needs(load(file))}) == there


def test_the_line_for_editors_leads_to_the_schema(sdstream: Sdstream, tmp_path: Path):
    file = tmp_path / "new.yaml"
    sdstream("init", str(file))
    address = re.match(r"# yaml-language-server: \$schema=(\S+)\n", file.read_text())[1]
    schema = Path(unquote(urlsplit(address).path)).read_text(encoding="utf-8")
    assert json.loads(schema) == json.loads(schema_text())


def revealed(value: object) -> object:
    """Return a setting with the secrets in it as plain text."""
    if isinstance(value, dict):
        return {name: revealed(inner) for name, inner in value.items()}
    return value.get_secret_value() if isinstance(value, SecretStr) else value


@pytest.mark.parametrize(
    ("wanted", "platform", "settings"),
    [
        ("webcam:/dev/video3", "linux", {"kind": "ffmpeg", "format": "v4l2", "url": "/dev/video3"}),
        ("webcam", "win32", {"kind": "ffmpeg", "format": "dshow", "url": "video=Integrated Camera"}),
        ("webcam:USB Cam", "win32", {"kind": "ffmpeg", "format": "dshow", "url": "video=USB Cam"}),
        ("webcam", "darwin", {"kind": "ffmpeg", "format": "avfoundation", "url": "0", "options": {"framerate": "30"}}),
        ('ndi:STUDIO (Camera "1")', "linux", {"kind": "ndi", "name": 'STUDIO (Camera "1")'}),
        ("rtsp://127.0.0.1/a", "linux", {"kind": "ffmpeg", "url": "rtsp://127.0.0.1/a"}),
        ("rtmp://127.0.0.1/live/a", "linux", {"kind": "rtmp", "url": "rtmp://127.0.0.1/live/a"}),
        ("C:\\clips\\a b.mp4", "win32", {"kind": "ffmpeg", "url": "C:\\clips\\a b.mp4", "loop": True}),
        ("testsrc", "linux", {"kind": "testsrc"}),
    ],
)
def test_a_source_is_written_as_asked(wanted: str, platform: str, settings: dict[str, object]):
    source = loads(with_source(START, wanted, platform), "start").source
    told = {name: revealed(getattr(source, name)) for name in settings}
    assert told == settings


def test_a_webcam_is_the_first_that_may_be_read(monkeypatch: pytest.MonkeyPatch):
    from sdstream.sources import cameras
    from sdstream.system.endpoint import Endpoint

    found = [Endpoint("A", "/dev/video1", {}, "no right"), Endpoint("B", "/dev/video2", {})]
    monkeypatch.setattr(cameras, "listing", lambda search: found)
    assert 'url: "/dev/video2"' in with_source(START, "webcam", "linux")
    monkeypatch.setattr(cameras, "listing", lambda search: [])
    assert 'url: "/dev/video0"' in with_source(START, "webcam", "linux")


def test_a_file_that_is_not_there_is_told_and_nothing_is_written(sdstream: Sdstream, tmp_path: Path):
    answer = sdstream("init", str(tmp_path / "new.yaml"), "--from", "no such clip.mp4")
    assert (answer.status, answer.err.startswith("--from: no such file: 'no such clip.mp4'")) == (
        Unavailable.exit_code,
        True,
    )
    assert list(tmp_path.iterdir()) == []
