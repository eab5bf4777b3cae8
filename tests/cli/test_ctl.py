"""`sdstream ctl` against a real run."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sdstream.cli import control_client
from sdstream.cli.control_client import ControlClient
from sdstream.errors import Lost
from tests.harness.control_client import Client, connected, port_of, start, with_prompts


@pytest.fixture(scope="module")
def show(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder = tmp_path_factory.mktemp("ctl")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(folder))
        patch.setenv("XDG_STATE_HOME", str(folder))
        with start() as run:
            yield connected(run)


def ctl(show: Client, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "sdstream", "ctl", *arguments, "--at", f"127.0.0.1:{port_of(show.run)}"]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=60, env={**os.environ, **environment}
    )


def test_a_server_that_still_starts_is_not_called_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control_client, "TIMEOUT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        client = ControlClient(f"127.0.0.1:{listening.getsockname()[1]}")
        with pytest.raises(Lost, match="a run that has just begun"):
            client.ask("GET", "/api/state")


def test_set_changes_controls_that_get_prints(show: Client) -> None:
    assert ctl(show, "set", "prompt=ink wash", "guidance.scale=1.5", "steps=[20]").returncode == 0
    assert json.loads(ctl(show, "get", "guidance.scale").stdout) == 1.5
    assert json.loads(ctl(show, "get", "prompt").stdout) == "ink wash"
    assert json.loads(ctl(show, "get").stdout)["steps"] == [20]


def test_a_refused_name_is_told_with_the_reason(show: Client) -> None:
    done = ctl(show, "set", "bogus=1", "guidance.delta=0.7")
    assert (done.returncode, "bogus: unknown key" in done.stderr) == (78, True)
    assert json.loads(ctl(show, "get", "guidance.delta").stdout) == 0.7


def test_a_prompt_not_understood_is_set_with_a_note(show: Client) -> None:
    with with_prompts(show.run):
        done = ctl(show, "set", "prompt=a [cat:dog:0.5]")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.startswith("note: prompt: '[cat:dog:0.5]' is read as words: ")


def test_a_preset_is_kept_listed_recalled_and_forgotten(show: Client) -> None:
    ctl(show, "set", "prompt=first")
    assert ctl(show, "preset", "save", "one evening", "--only", "prompt").returncode == 0
    ctl(show, "set", "prompt=second")
    assert ctl(show, "preset", "list").stdout.split("\n") == ["one evening", ""]
    assert ctl(show, "preset", "recall", "one evening").returncode == 0
    assert json.loads(ctl(show, "get", "prompt").stdout) == "first"
    assert ctl(show, "preset", "delete", "one evening").returncode == 0
    assert ctl(show, "preset", "recall", "one evening").returncode == 78


def test_air_and_restart_reach_the_run(show: Client) -> None:
    assert ctl(show, "air", "black").returncode == 0
    show.run.showing("black")
    assert ctl(show, "air", "live").returncode == 0
    pid = show.run.pipeline.pids()["source"]
    assert ctl(show, "restart", "source").returncode == 0
    show.run.wait(lambda _: show.run.pipeline.pids().get("source", pid) != pid)
    assert json.loads(ctl(show, "state").stdout)["seconds"] > 0


def test_a_wrong_token_ends_with_77_and_no_server_with_69(show: Client) -> None:
    done = ctl(show, "state", SDSTREAM_TOKEN="wrong")
    assert (done.returncode, "SDSTREAM_TOKEN" in done.stderr) == (77, True)
    command = [sys.executable, "-m", "sdstream", "ctl", "state", "--at", "127.0.0.1:9"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, "control:" in done.stderr) == (69, True)


def test_watch_prints_changes_until_ctrl_c(show: Client, tmp_path: Path) -> None:
    with (tmp_path / "lines").open("w+") as lines:
        command = [sys.executable, "-m", "sdstream", "ctl", "watch", "--at", f"127.0.0.1:{port_of(show.run)}"]
        watcher = subprocess.Popen(command, stdout=lines)
        time.sleep(3.0)
        ctl(show, "set", "prompt=seen by the watcher")
        time.sleep(1.0)
        watcher.send_signal(signal.SIGINT)
        watcher.wait(10)
        lines.seek(0)
        events = [json.loads(line) for line in lines]
    assert "seen by the watcher" in [event["controls"]["prompt"] for event in events if event["event"] == "controls"]
