"""A log without a reader stops nothing, and tells later how many lines were dropped."""

import fcntl
import io
import itertools
import json
import os
import pty
import select
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TextIO

import pytest
import structlog

from sdstream import log
from sdstream.config.load import loads
from sdstream.ipc.child_process import ChildProcess
from sdstream.log import QueueWriter
from sdstream.redact import hide
from tests.harness.full_pipe import full_pipe

WITHIN = 20.0
"""Seconds for a thread to do its work on a busy machine."""

WRITERS: list[QueueWriter] = []
"""Writers whose threads must be idle before the number of a file is free for another file."""


@pytest.fixture(autouse=True)
def _fresh_log() -> Iterator[None]:
    yield
    log.configure("error", out=io.StringIO())
    structlog.reset_defaults()


@contextmanager
def pipe() -> Iterator[tuple[int, TextIO]]:
    """Yield both ends of a pipe; the reader's end closes first, so that a waiting writer ends."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "w", encoding="utf-8") as out:
        try:
            yield reading, out
        finally:
            os.close(reading)
            for lines in WRITERS:
                lines.flush(WITHIN)
            WRITERS.clear()


def writer(out: TextIO, limit: int = 4000) -> QueueWriter:
    WRITERS.append(QueueWriter(out, "dropped {}\n".format, limit))
    return WRITERS[-1]


def read_until(file: int, end: str) -> list[str]:
    """Return the lines of `file` up to the first line that ends with `end`."""
    text = ""
    while end not in text:
        text += os.read(file, 65536).decode()
    return text.splitlines()


def test_lines_arrive_in_their_order():
    with pipe() as (reading, out):
        lines = writer(out)
        for number in range(100):
            lines.write(f"{number}\n")
        lines.flush(WITHIN)
        assert os.read(reading, 65536).decode().split() == [str(number) for number in range(100)]


def test_a_line_is_out_before_the_caller_goes_on(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(log, "PROMPT_WITHIN", WITHIN)
    with pipe() as (reading, out):
        writer(out).write("line\n")
        assert select.select([reading], [], [], 0)[0]


def test_a_machine_without_room_for_a_thread_gets_the_lines_later(monkeypatch: pytest.MonkeyPatch):
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with pipe() as (reading, out):
        lines = writer(out)
        with monkeypatch.context() as full:
            full.setattr(threading.Thread, "start", refuse)
            lines.write("1\n")
        lines.write("2\n")
        assert read_until(reading, "2")[-1] == "2"


def test_a_write_never_waits_for_a_reader():
    with pipe() as (_, out):
        lines = writer(out)
        began = time.monotonic()
        for number in range(20_000):
            lines.write(f"line {number}\n")
        lines.flush(0.1)
        assert time.monotonic() - began < WITHIN


def test_a_reader_that_comes_back_is_told_how_many_lines_were_dropped():
    with pipe() as (reading, out):
        lines = writer(out)
        for number in range(20_000):
            lines.write(f"line {number}\n")
        with ThreadPoolExecutor(1) as pool:
            told = pool.submit(read_until, reading, "afterwards\n")
            lines.flush(WITHIN)
            lines.write("line 20000\nafterwards\n")
            texts = told.result(WITHIN)
    dropped = [int(text.split()[1]) for text in texts if text.startswith("dropped")]
    kept = [int(text.split()[1]) for text in texts if text.startswith("line")]
    gaps = [later - earlier - 1 for earlier, later in itertools.pairwise(kept)]
    assert dropped
    assert [gap for gap in gaps if gap] == dropped


def test_a_line_longer_than_the_limit_gets_out():
    with pipe() as (reading, out):
        lines = writer(out, limit=10)
        lines.write("long " * 100 + "end\n")
        assert read_until(reading, "end") == ["long " * 100 + "end"]


def test_a_pipe_that_another_process_made_non_blocking_keeps_its_lines():
    with pipe() as (reading, out):
        os.set_blocking(out.fileno(), False)
        lines = writer(out, limit=1_000_000)
        for number in range(20_000):
            lines.write(f"line {number}\n")
        assert len(read_until(reading, "line 19999")) == 20_000


def test_a_reader_that_has_gone_ends_nothing():
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as out:
        lines = writer(out)
        lines.write("line\n")
        lines.flush(WITHIN)
        lines.write("line\n")
        lines.flush(WITHIN)


def test_dropped_lines_are_told_in_the_form_of_the_log():
    with pipe() as (reading, out):
        fcntl.fcntl(out.fileno(), fcntl.F_SETPIPE_SZ, 4096)
        log.configure(json=True, out=out)
        for _ in range(5000):
            log.get_logger().info("event", text="x" * 100)
        told = [json.loads(line) for line in read_until(reading, "log lines dropped") if line.endswith("}")]
        drain(reading)
        log.flush(WITHIN)
    assert any(line["event"] == "log lines dropped" and line["lines"] > 0 for line in told)


def drain(file: int) -> None:
    """Read `file` while there are lines."""
    while select.select([file], [], [], 0.5)[0]:
        os.read(file, 65536)


def test_a_file_in_memory_is_written_at_once():
    out = io.StringIO()
    log.configure(out=out)
    log.get_logger().info("event")
    assert "event" in out.getvalue()


def test_a_terminal_that_nobody_reads_stops_nothing():
    master, terminal = pty.openpty()
    with os.fdopen(terminal, "w") as out:
        log.configure(out=out)
        logging = threading.Thread(target=fill, daemon=True)
        logging.start()
        logging.join(WITHIN)
        os.close(master)
        log.flush(WITHIN)
        assert not logging.is_alive()


def fill() -> None:
    """Log more than a terminal holds."""
    for _ in range(2000):
        log.get_logger().info("event", text="x" * 100)


@pytest.mark.parametrize(
    "end",
    [
        "log.flush(); os._exit(3)",
        "sys.exit(3)",
    ],
)
def test_the_last_line_before_the_end_of_a_process_gets_out(end: str):
    program = f"import os, sys; from sdstream import log; log.configure(); log.get_logger().error('last line'); {end}"
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert answer.returncode == 3
    assert "last line" in answer.stderr


def test_a_command_that_fails_ends_while_nobody_reads_its_message():
    command = [sys.executable, "-m", "sdstream", "check", "/no/such/file"]
    with full_pipe() as unread:
        assert subprocess.run(command, stderr=unread, timeout=60, check=False).returncode == 78


@pytest.mark.parametrize("json", [False, True])
def test_no_line_of_a_log_shows_a_secret_of_the_configuration(json: bool):
    environment = {"KEY_IN": "canary-in-4711", "FOLDER": "canary-folder"}
    loads(
        'version: 1\nsource: {kind: ffmpeg, url: "/nope/${FOLDER}.mp4"}\nsinks: [{kind: preview, key: "${KEY_IN}"}, '
        '{kind: ffmpeg, url: "rtmp://h/app/canary-url"}]',
        "show.yaml",
        environment=environment,
    )
    out = io.StringIO()
    log.configure(json=json, out=out)
    try:
        raise ValueError("/nope/canary-folder.mp4")
    except ValueError:
        log.get_logger().exception("failed", key="canary-in-4711", each=["canary-url"], name="a\x1b[2J")
    assert "canary" not in out.getvalue()
    assert "***" in out.getvalue()
    assert "\x1b" not in out.getvalue()
    assert "x1b[2J" in out.getvalue()


@pytest.mark.parametrize("json", [False, True])
def test_a_secret_that_is_the_name_of_a_level_breaks_no_line(json: bool):
    hide("info")
    out = io.StringIO()
    log.configure(json=json, out=out)
    log.get_logger().info("event", info="info")
    assert out.getvalue().count("***") == 1


def test_a_child_process_hides_the_secrets_of_its_parent(capfd: pytest.CaptureFixture[str]):
    hide("canary-4711")
    with ChildProcess("child", log_a_secret) as child:
        child.join(60)
    assert "event" in (said := capfd.readouterr().err)
    assert "canary" not in said


def log_a_secret() -> None:
    """Log in a process of its own."""
    log.configure()
    log.get_logger().info("event", text="canary-4711")
