"""`doctor` finds what is missing, and names the line that mends it."""

import json
import os
import shutil
import socket
import sys
from pathlib import Path

import pytest

from sdstream.engine import checks
from sdstream.sinks import cameras
from sdstream.sinks import loopback as loopback_module
from sdstream.system import fresh_python, port_check
from tests.cli.command_line import Sdstream

THINGS = [
    "python",
    "av",
    "rtmp port",
    "ffmpeg",
    "ndi",
    "diffusion",
    "openvino",
    "gpu",
    "virtualcam",
    "shared memory",
    "disk",
]


@pytest.mark.slow  # loads torch, in a process of its own
def test_doctor_tells_about_everything_as_json(sdstream: Sdstream):
    answer = sdstream("doctor", "--json")
    findings = {finding["name"]: finding for finding in json.loads(answer.out)["findings"]}
    assert list(findings) == THINGS
    missing = [finding for finding in findings.values() if finding["state"] == "missing"]
    assert answer.status == (69 if missing else 0)
    assert all(finding["fix"] for finding in missing)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answer for every library at once."""
    monkeypatch.setattr(fresh_python, "ask", lambda code: {"error": "No module named 'x'"})


@pytest.mark.usefixtures("quick")
def test_doctor_ends_with_69_when_something_needed_is_missing_and_prints_its_fix(sdstream: Sdstream):
    answer = sdstream("doctor")
    assert answer.status == 69
    assert (
        f"missing av            No module named 'x'\n                      → {sys.executable} -m pip install"
        in answer.out
    )


def test_a_library_that_is_not_there_or_crashes_is_told_by_its_last_words():
    assert (
        fresh_python.ask("import no_such_library")["error"] == "ModuleNotFoundError: No module named 'no_such_library'"
    )
    assert "crashed while loading" in fresh_python.ask("import os; os.abort()")["error"]
    assert fresh_python.ask("report(answer=42)") == {"answer": 42}


@pytest.mark.parametrize(
    ("driver", "torch", "state", "said"),
    [
        ("", {"built": None, "works": False, "mps": False}, "note", "no NVIDIA driver"),
        ("RTX, 580", {"error": "No module named 'torch'"}, "note", "no torch to use it"),
        ("RTX, 580", {"built": None, "works": False, "mps": False}, "missing", "built for the CPU"),
        ("RTX, 400", {"built": "13.0", "works": False, "mps": False}, "missing", "which this driver does not run"),
        ("RTX, 580", {"built": "13.0", "works": True, "mps": False}, "ok", "torch for CUDA 13.0"),
        ("", {"built": None, "works": False, "mps": True}, "ok", "Metal"),
    ],
)
def test_the_driver_and_the_build_of_torch_must_fit(
    monkeypatch: pytest.MonkeyPatch, driver: str, torch: dict[str, object], state: str, said: str
):
    monkeypatch.setattr(checks, "_driver", lambda: driver)
    monkeypatch.setattr(fresh_python, "ask", lambda code: torch)
    finding = checks.gpu()
    assert (finding.state, said in finding.found) == (state, True)


def test_a_taken_port_is_told_with_its_owner():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        finding = port_check.rtmp(port)
        assert f"{port} is taken" in finding.found
        assert f"process {os.getpid()}" in finding.found
        assert str(port + 1) in finding.fix
    assert port_check.rtmp(port).state == "ok"


@pytest.fixture
def loopback(tmp_path: Path) -> Path:
    """A /sys and a /dev in which v4l2loopback has one device, labelled sdstream."""
    label = tmp_path / "sys/devices/virtual/video4linux/video10/name"
    label.parent.mkdir(parents=True)
    label.write_text("sdstream\n")
    module = tmp_path / "sys/module/v4l2loopback"
    module.mkdir(parents=True)
    (module / "version").write_text("0.15.0\n")
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/video10").touch()
    return tmp_path


def look(place: Path) -> tuple[str, str, str]:
    finding = cameras._v4l2loopback(place / "sys", place / "dev")
    return finding.state, finding.found, finding.fix


def test_a_virtual_camera_is_told_with_its_label_and_version(loopback: Path):
    state, found, _ = look(loopback)
    assert (state, found) == ("ok", f'v4l2loopback 0.15.0: {loopback}/dev/video10 "sdstream"')


def test_a_module_of_before_0_13_tells_no_version(loopback: Path):
    (loopback / "sys/module/v4l2loopback/version").unlink()
    assert "0.12 or older" in look(loopback)[1]


def test_a_module_without_a_device_is_loaded_anew(loopback: Path):
    (loopback / "sys/devices/virtual/video4linux/video10/name").unlink()
    assert look(loopback)[2].startswith("sudo modprobe -r v4l2loopback && sudo modprobe v4l2loopback")


@pytest.mark.parametrize(
    ("installed", "fix"), [(True, "sudo modprobe"), (False, "sudo apt-get install v4l2loopback-dkms")]
)
def test_a_module_that_is_not_loaded_is_loaded_or_installed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, installed: bool, fix: str
):
    monkeypatch.setattr(loopback_module, "module_installed", lambda: installed)
    monkeypatch.setattr(shutil, "which", lambda program: program if program == "apt-get" else None)
    assert look(tmp_path)[2].startswith(fix)


def test_a_device_that_may_not_be_used_asks_for_the_video_group(monkeypatch: pytest.MonkeyPatch, loopback: Path):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert "usermod -aG video" in look(loopback)[2]
