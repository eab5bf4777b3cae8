"""`doctor FILE` knows what a show needs, and fails when the need is not met."""

import json
import socket
import sys
from pathlib import Path

import pytest

from sdstream.system import fresh_python, installation
from tests.cli.command_line import Sdstream

SHOW = "version: 1\nsource: {kind: testsrc}\nengine: {kind: passthrough}\nsinks: [{kind: discard}]\n"


@pytest.fixture(autouse=True)
def bare_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which no library loads, and no virtual camera is installed."""
    monkeypatch.setattr(fresh_python, "ask", lambda code: {"error": "No module named 'x'"})
    monkeypatch.setitem(sys.modules, "pyvirtualcam", None)


def findings(sdstream: Sdstream, folder: Path, *changes: tuple[str, str]) -> tuple[int, dict[str, str]]:
    """Return exit status, and the states by name, for SHOW with changes."""
    text = SHOW
    for old, new in changes:
        text = text.replace(old, new)
    (folder / "show.yaml").write_text(text)
    answer = sdstream("doctor", str(folder / "show.yaml"), "--json")
    return answer.status, {found["name"]: found["state"] for found in json.loads(answer.out)["findings"]}


def test_a_show_without_needs_asks_for_nothing(sdstream: Sdstream, tmp_path: Path):
    assert findings(sdstream, tmp_path) == (0, {"python": "ok", "shared memory": "ok"})


@pytest.mark.parametrize(
    ("old", "new", "name"),
    [
        ("{kind: testsrc}", "{kind: ndi, name: A}", "ndi"),
        ("{kind: testsrc}", "{kind: ffmpeg, url: rtsp://127.0.0.1/a}", "av"),
        ("{kind: passthrough}", "{model: mini}", "diffusion"),
        ("{kind: passthrough}", "{model: mini, acceleration: openvino}", "openvino"),
        ("{kind: passthrough}", "{model: mini, device: cuda}", "gpu"),
        ("{kind: discard}", "{kind: ndi, name: A}", "ndi"),
        ("{kind: discard}", "{kind: virtualcam}", "virtualcam"),
    ],
)
def test_a_missing_need_ends_with_69(sdstream: Sdstream, tmp_path: Path, old: str, new: str, name: str):
    status, states = findings(sdstream, tmp_path, (old, new))
    assert (status, states[name]) == (69, "missing")


def test_an_optional_sink_is_a_note(sdstream: Sdstream, tmp_path: Path):
    more = "{kind: discard}, {kind: ndi, name: A, optional: true}, {kind: virtualcam, optional: true}"
    status, states = findings(sdstream, tmp_path, ("{kind: discard}", more))
    assert (status, states["ndi"], states["virtualcam"]) == (0, "note", "note")


def test_a_need_of_a_required_part_is_not_hidden_by_an_optional_part(sdstream: Sdstream, tmp_path: Path):
    both = "{kind: ndi, name: A, optional: true}, {kind: ndi, name: B}"
    status, states = findings(sdstream, tmp_path, ("{kind: discard}", both))
    assert (status, states["ndi"]) == (69, "missing")


def test_the_ports_of_the_show_are_looked_at(sdstream: Sdstream, tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        page = f'{{kind: preview, listen: "127.0.0.1:{port}"}}'
        status, states = findings(sdstream, tmp_path, ("{kind: discard}", page))
        assert (status, states["page port"]) == (69, "missing")
        door = f'{{kind: rtmp, listen: "127.0.0.1:{port}"}}'
        status, states = findings(sdstream, tmp_path, ("{kind: testsrc}", door))
        assert (status, states["rtmp port"]) == (69, "missing")


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (("{kind: discard}", '{kind: serve, listen: "127.0.0.1:PORT"}'), "serve port"),
        (("version: 1", 'version: 1\ncontrol: {listen: "127.0.0.1:PORT"}'), "control port"),
    ],
)
def test_the_port_of_each_server_is_looked_at(sdstream: Sdstream, tmp_path: Path, change: tuple[str, str], name: str):
    with socket.create_server(("127.0.0.1", 0)) as server:
        old, new = change
        status, states = findings(sdstream, tmp_path, (old, new.replace("PORT", str(server.getsockname()[1]))))
        assert (status, states[name]) == (69, "missing")


@pytest.mark.parametrize(("module", "state", "ends"), [("", "ok", 0), ("fastapi", "missing", 69)])
def test_a_control_server_needs_its_extra(sdstream: Sdstream, tmp_path: Path, monkeypatch, module, state, ends):
    monkeypatch.setattr(installation, "missing_module", lambda extra: module if extra == "control" else "")
    status, states = findings(sdstream, tmp_path, ("version: 1", 'version: 1\ncontrol: {listen: "127.0.0.1:0"}'))
    assert (status, states["control"]) == (ends, state)


def test_a_file_that_is_not_there_is_missing(sdstream: Sdstream, tmp_path: Path):
    status, states = findings(sdstream, tmp_path, ("{kind: testsrc}", "{kind: ffmpeg, url: none.mp4}"))
    assert (status, states["files"]) == (69, "missing")


def test_a_mistake_in_the_file_ends_with_78(sdstream: Sdstream, tmp_path: Path):
    (tmp_path / "show.yaml").write_text("version: 2\n")
    assert sdstream("doctor", str(tmp_path / "show.yaml")).status == 78
