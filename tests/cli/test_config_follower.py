"""No save, however wrong, ends or slows a show: the supervisor's loop goes on, and log and status tell."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sdstream.cli.config_follower import following
from sdstream.cli.config_watcher import WHOLE, ConfigWatcher
from sdstream.config import file_text
from sdstream.config.load import accepted
from sdstream.supervisor.control_desk import Desk
from tests.harness.wait import until

TEXT = """version: 1
source: {kind: testsrc}
engine: {kind: passthrough}
sinks: [{kind: discard}]
controls: {prompt: oil}
"""
NONSENSE = TEXT + "".join(f"k{number:06}: 1\n" for number in range(20_000))


@contextmanager
def show(file: Path) -> Iterator[Desk]:
    """Follow a good file, as a run does."""
    file.write_text(TEXT)
    watcher = ConfigWatcher(file)
    desk = Desk(accepted(watcher.first))
    with following(watcher, desk, lambda config: None):
        yield desk


def told(desk: Desk) -> str:
    """Return what the status tells of the file as a whole, or ""."""
    return next((refusal.reason for refusal in desk.refused if refusal.name == WHOLE), "")


def _gone(file: Path) -> None:
    file.unlink()
    file.mkdir()


def _pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def _device(file: Path) -> None:
    file.unlink()
    file.symlink_to("/dev/zero")


def _loop(file: Path) -> None:
    file.unlink()
    file.write_bytes(b"\xff\xfe\x00")


def _deep(file: Path) -> None:
    file.write_text(TEXT + "x: " + "[" * 100_000)


def _bomb(file: Path) -> None:
    file.write_text(TEXT + "a: &a [x, x]\nb: [*a, *a]\n")


def _number(file: Path) -> None:
    file.write_text(TEXT.replace("{kind: discard}", "{kind: ffmpeg, url: a.mkv, bitrate: " + "9" * 500 + "M}"))


def _name(file: Path) -> None:
    file.write_text(TEXT + f"air: {{slate: {'a' * 300}}}\n")


def _nonsense(file: Path) -> None:
    file.write_text(NONSENSE)


@pytest.mark.parametrize("spoil", [_gone, _pipe, _device, _loop, _deep, _bomb, _number, _name, _nonsense])
def test_a_wrong_save_is_told_in_log_and_status_and_a_mended_save_is_taken_over(
    tmp_path: Path, spoil, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(file_text, "WITHIN", 0.2)
    file = tmp_path / "show.yaml"
    with show(file) as desk:
        spoil(file)
        until(lambda: told(desk), 30, "the status tells of the file")
        assert desk.controls.prompt == "oil"
        mended = tmp_path / "mended"
        mended.write_text(TEXT.replace("oil", "ink"))
        if file.is_dir():
            file.rmdir()
        mended.rename(file)
        until(lambda: desk.controls.prompt == "ink", 30, "the mended file is taken over")
        assert told(desk) == ""
    assert "configuration not taken over" in "".join(capsys.readouterr())


def test_a_bug_in_reading_a_save_is_told_and_ends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "show.yaml"
    with show(file) as desk, monkeypatch.context() as patch:
        patch.setattr(Desk, "patch", lambda *_: 1 // 0)
        file.write_text(TEXT.replace("oil", "ink"))
        until(lambda: told(desk), 30, "the status tells of the bug")
        assert told(desk) == "a bug in sdstream: ZeroDivisionError: integer division or modulo by zero"
        patch.undo()
        file.write_text(TEXT.replace("oil", "chalk"))
        until(lambda: desk.controls.prompt == "chalk", 30, "the next save is taken over")


def test_the_loop_of_the_supervisor_goes_on_while_256_kb_of_nonsense_are_read(tmp_path: Path) -> None:
    file = tmp_path / "show.yaml"
    with show(file) as desk:
        file.write_text(NONSENSE)
        longest, last = 0.0, time.monotonic()
        while not told(desk) and time.monotonic() < last + 60:
            time.sleep(0.01)
            longest, last = max(longest, time.monotonic() - last), time.monotonic()
        assert told(desk)
    assert longest < 2.0  # a process counts as hung after 5 s without a look
