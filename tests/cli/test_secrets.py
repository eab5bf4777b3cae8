"""A stream key is neither printed nor logged, and is not in the list of processes."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.cli.command_line import Sdstream

KEYS = {"KEY_IN": "canary-in-4711", "KEY_OUT": "canary-out-4711"}


@pytest.mark.slow
def test_a_run_with_failing_outputs_shows_no_key_anywhere(tmp_path: Path):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        dead = unused.getsockname()[1]  # bound and not listening: every connection to it is refused
        file = tmp_path / "show.yaml"
        file.write_text(
            "version: 1\ncanvas: {width: 64, height: 48}\nengine: {kind: passthrough}\n"
            'source: {kind: rtmp, listen: "127.0.0.1:0", key: "${KEY_IN}"}\n'
            f'sinks: [{{kind: discard}}, {{kind: ffmpeg, url: "rtmp://127.0.0.1:{dead}/app/${{KEY_OUT}}"}}]\n'
        )
        command = [sys.executable, "-m", "sdstream", "run", str(file), "--for", "10", "-v", "--json"]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        with subprocess.Popen(command, env=os.environ | KEYS, **pipes) as process:
            arguments = watched(psutil.Process(process.pid))
            out, err = process.communicate(timeout=60)
    assert process.returncode == 69, err  # the output was never reached
    assert "refused" in err
    assert arguments
    assert "canary" not in out + err + arguments


def watched(process: psutil.Process) -> str:
    """Return the command lines of all processes of a run, gathered until it has several."""
    seen: set[str] = set()
    while len(seen) < 4 and process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        for each in (process, *process.children(recursive=True)):
            try:
                seen.add(f"{each.pid} {each.cmdline()}")
            except (psutil.NoSuchProcess, psutil.ZombieProcess):
                continue
    return "\n".join(seen)


SHOW = "version: 1\nsource: {kind: ffmpeg, url: https://h/%s, options: {%s}}\nsinks: [{kind: discard}]\n"


def test_check_shows_no_option_that_may_hold_a_password(tmp_path: Path, sdstream: Sdstream):
    file = tmp_path / "show.yaml"
    options = 'headers: "Authorization: Bearer canary-4711", passphrase: canary, video_size: 1280x720'
    file.write_text(SHOW % ("canary-4711/x.ts", options))
    answer = sdstream("check", "--all", str(file))
    assert answer.status == 0
    assert "canary" not in answer.out + answer.err
    assert "headers: '***'" in answer.out
    assert "video_size: 1280x720" in answer.out


@pytest.mark.parametrize(
    "override", ["source.key=canary-4711", 'source.url="https://h/canary-4711"', "source={key: canary-4711}"]
)
def test_a_secret_on_the_command_line_is_warned_of(tmp_path: Path, sdstream: Sdstream, override: str):
    file = tmp_path / "show.yaml"
    kind = "ffmpeg" if "url" in override else 'rtmp, listen: "127.0.0.1:1"'
    file.write_text(f"version: 1\nsource: {{kind: {kind}}}\nsinks: [{{kind: discard}}]\n")
    override = override.replace("{", '{kind: rtmp, listen: "127.0.0.1:1", ')
    answer = sdstream("check", str(file), "--set", override)
    assert "a secret in --set is seen in the list of processes" in answer.err
    assert "canary" not in answer.out + answer.err


def test_a_variable_on_the_command_line_is_no_secret(
    tmp_path: Path, sdstream: Sdstream, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("KEY", "canary-4711")
    file = tmp_path / "show.yaml"
    file.write_text('version: 1\nsource: {kind: rtmp, listen: "127.0.0.1:1"}\nsinks: [{kind: discard}]\n')
    answer = sdstream("check", str(file), "--set", 'source.key="${KEY}"')
    assert (answer.status, answer.err) == (0, "")
    assert "canary" not in answer.out


@pytest.mark.parametrize("verb", [["check"], ["check", "--all"], ["check", "--json"]])
def test_a_name_with_escapes_moves_no_terminal(tmp_path: Path, sdstream: Sdstream, verb: list[str]):
    file = tmp_path / "show.yaml"
    text = 'version: 1\nsource: {kind: ndi, name: "a\\e[2Jb\\x9bc\\u202e"}\nsinks: [{kind: discard}]\n'
    file.write_text(text)
    answer = sdstream(verb[0], str(file), *verb[1:])
    assert answer.status == 0
    assert not set("\x1b\x9b\u202e") & set(answer.out)
    file.write_text(text + '"a\\e[2J\\nb\\u202e": 1\n')
    answer = sdstream(verb[0], str(file), *verb[1:])
    assert (answer.status, answer.err.count("\n")) == (78, 0 if "--json" in verb else 1)
    assert not set("\x1b\u202e") & set(answer.err + answer.out)
