"""An atomic file is whole or is not there."""

import os
from pathlib import Path

import pytest

from sdstream.system.atomic_file import write_atomically


@pytest.mark.parametrize("durable", [True, False])
def test_the_parts_stand_one_behind_the_other(tmp_path: Path, durable: bool) -> None:
    file = tmp_path / "state.json"
    file.write_bytes(b"what was there before")
    write_atomically(file, b"sum ", b"body", durable=durable)
    assert file.read_bytes() == b"sum body"
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch, step: str) -> None:
    file = tmp_path / "state.json"
    file.write_bytes(b"old")

    def full(*arguments: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, step, full)
    with pytest.raises(OSError, match="disk full"):
        write_atomically(file, b"new")
    assert file.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [file]


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_atomically(tmp_path / "away" / "state.json", b"new")
