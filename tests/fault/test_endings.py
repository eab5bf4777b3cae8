"""How `sdstream run` ends: by a signal, by a bad configuration, by a missing thing. Each from the outside."""

import contextlib
import json
import os
import pty
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.harness.standstill_watch import StandstillWatch
from tests.harness.wait import until

pytestmark = [pytest.mark.fault, pytest.mark.slow]

Start = Callable[..., "subprocess.Popen[str]"]
GOOD = """
version: 1
canvas: {width: 320, height: 180, fps: 30}
source: {kind: testsrc}
engine: {kind: passthrough}
sinks: [{kind: discard}, {kind: discard}]
"""

OWN_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execvp(sys.argv[1], sys.argv[1:])"
)
"""Makes standard input the controlling terminal of a session, and runs the command behind it."""


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Start]:
    """Start daemons, each the leader of a session of its own as in a terminal; none outlives its test."""
    started: list[subprocess.Popen[str]] = []

    def start(text: str, *options: str, before: tuple[str, ...] = ()) -> "subprocess.Popen[str]":
        path, log = tmp_path / "run.yaml", tmp_path / "log"
        path.write_text(text)
        command = [*before, sys.executable, "-m", "sdstream", "run", str(path), *options]
        with log.open("w") as err:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=err, text=True, start_new_session=True)
        started.append(process)
        return process

    yield start
    for process in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def family(process: "subprocess.Popen[str]") -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def until_on_air(tmp_path: Path) -> None:
    """Wait until both sinks, the engine and the source have said that they are there, and a little longer."""
    log = tmp_path / "log"
    said = ["sink opened", "sink opened", "source is live", "engine loaded"]
    until(lambda: all(log.read_text().count(line) >= said.count(line) for line in said), 30, "everything on air")
    time.sleep(1.0)


def assert_nothing_left(processes: list[psutil.Process]) -> None:
    _, alive = psutil.wait_procs(processes, timeout=3)
    assert not alive


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_within_three_seconds_and_leaves_nothing(tmp_path: Path, number: int, daemon: Start) -> None:
    shm = "/dev/shm"
    before = set(os.listdir(shm)) if os.path.isdir(shm) else set()
    with StandstillWatch() as machine:
        process = daemon(GOOD, "--json")
        until_on_air(tmp_path)
        excused = machine.excused(30)
    children = family(process)
    os.killpg(process.pid, number)  # as a terminal does: everybody gets it
    began = time.monotonic()
    out, _ = process.communicate(timeout=10)
    assert time.monotonic() - began <= 3
    assert process.returncode == 0, (tmp_path / "log").read_text()
    report = json.loads(out)
    assert all(sink["sent"] >= 0.99 * (sink["due"] - excused) > 0 for sink in report["sinks"])
    assert_nothing_left(children)
    assert (set(os.listdir(shm)) if os.path.isdir(shm) else set()) <= before


def test_a_terminal_that_is_closed_ends_no_show(tmp_path: Path) -> None:
    path, said = tmp_path / "run.yaml", b""
    path.write_text(GOOD)
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", OWN_TERMINAL, sys.executable, "-m", "sdstream", "run", str(path)]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True) as process:
        os.close(theirs)
        while b"source is live" not in said or said.count(b"sink opened") < 2:
            said += os.read(ours, 4096)
        children = family(process)
        os.close(ours)
        time.sleep(2.0)
        assert process.poll() is None
        assert family(process) == children
        process.terminate()
        assert process.wait(10) == 0
    assert_nothing_left(children)


def test_a_hang_up_ends_no_show(tmp_path: Path, daemon: Start) -> None:
    process = daemon(GOOD, "--json")
    until_on_air(tmp_path)
    for _ in range(3):  # shells hang up more than once
        os.killpg(process.pid, signal.SIGHUP)
        time.sleep(0.5)
    assert process.poll() is None
    assert "the show goes on" in (tmp_path / "log").read_text()
    process.terminate()
    out, _ = process.communicate(timeout=10)
    assert process.returncode == 0
    assert all(sink["restarts"] == 0 for sink in json.loads(out)["sinks"])


def test_nohup_is_respected(tmp_path: Path, daemon: Start) -> None:
    process = daemon(GOOD, before=("nohup",))
    until_on_air(tmp_path)
    os.killpg(process.pid, signal.SIGHUP)
    time.sleep(1.0)
    assert process.poll() is None
    process.terminate()
    process.communicate(timeout=10)
    assert process.returncode == 0


def test_a_kill_of_the_supervisor_leaves_nothing(tmp_path: Path, daemon: Start) -> None:
    process = daemon(GOOD)
    until_on_air(tmp_path)
    children = family(process)
    process.kill()
    process.communicate(timeout=10)
    assert len(children) >= 4
    assert_nothing_left(children)


def test_the_daemon_ends_by_itself_when_its_time_is_over(tmp_path: Path, daemon: Start) -> None:
    process = daemon(GOOD, "--for", "5")
    out, _ = process.communicate(timeout=20)
    assert process.returncode == 0, (tmp_path / "log").read_text()
    assert "discard.2" in out


def test_a_bad_configuration_names_every_mistake_and_exits_with_78(tmp_path: Path, daemon: Start) -> None:
    process = daemon(GOOD.replace("width: 320", "widht: 320").replace("testsrc", "testsource"))
    process.communicate(timeout=20)
    assert process.returncode == 78
    err = (tmp_path / "log").read_text()
    assert "width" in err
    assert "testsrc" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("{kind: testsrc}", "{kind: ffmpeg, url: /nowhere/clip.mp4}", "/nowhere/clip.mp4"),
        ("{kind: passthrough}", "{model: /nowhere/model}", "/nowhere/model"),
        ("{kind: discard}]", "{kind: virtualcam, device: /dev/video97}]", "/dev/video97"),
    ],
    ids=["file", "model", "camera"],
)
def test_a_missing_thing_is_named_and_exits_with_69(
    tmp_path: Path, old: str, new: str, named: str, daemon: Start
) -> None:
    process = daemon(GOOD.replace(old, new))
    process.communicate(timeout=60)
    assert process.returncode == 69, (tmp_path / "log").read_text()
    err = (tmp_path / "log").read_text()
    assert named in err.splitlines()[-1]
    assert "Traceback" not in err


def test_a_publisher_that_never_comes_leaves_the_slate_on_air(tmp_path: Path, daemon: Start) -> None:
    text = GOOD.replace("{kind: testsrc}", '{kind: rtmp, url: "rtmp://127.0.0.1:9/live/none"}')
    process = daemon(text, "--for", "8", "--json")
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 0, (tmp_path / "log").read_text()
    report = json.loads(out)
    assert report["source"]["state"] != "live"
    assert all(sink["slate"] == sink["sent"] > 0 for sink in report["sinks"])


@pytest.mark.parametrize("wait", [0.6, 0.9, 1.2, 1.6])
def test_ctrl_c_while_it_starts_ends_it_without_a_trace(tmp_path: Path, daemon: Start, wait: float) -> None:
    process = daemon(GOOD)
    time.sleep(wait)
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=20)
    assert "Traceback" not in (tmp_path / "log").read_text()


def test_a_working_folder_that_is_deleted_on_air_harms_no_restart(tmp_path: Path, daemon: Start) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    there = (sys.executable, "-c", "import os, sys; os.chdir(sys.argv[1]); os.execvp(sys.argv[2], sys.argv[2:])")
    process = daemon(GOOD, before=(*there, str(gone)))
    until_on_air(tmp_path)
    gone.rmdir()
    log = tmp_path / "log"
    engine = next(child for child in family(process) if "spawn_main" in " ".join(child.cmdline()))
    engine.kill()
    until(lambda: "the working folder is gone" in log.read_text(), 20, "the folder is missed")
    time.sleep(3.0)
    process.terminate()
    process.communicate(timeout=10)
    assert process.returncode == 0, log.read_text()
    assert "Traceback" not in log.read_text()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("check --all {} > /dev/full", "standard output cannot be written: No space left on device"),
        ("run {} --for 1 > /dev/full", "standard output cannot be written: No space left on device"),
        ("schema > /dev/full", "standard output cannot be written: No space left on device"),
    ],
)
def test_a_full_disk_under_a_result_is_no_bug(tmp_path: Path, line: str, said: str) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(GOOD)
    command = f"{shlex.quote(sys.executable)} -m sdstream {line.format(shlex.quote(str(path)))}"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert (done.returncode, said in done.stderr) == (69, True), done.stderr


def test_too_few_files_are_no_bug(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(GOOD)
    command = ["bash", "-c", f"ulimit -n 20; exec {shlex.quote(sys.executable)} -m sdstream run {path} --for 1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode in (69, 70)
    assert "ulimit" in done.stderr
    assert "a bug" not in done.stderr
