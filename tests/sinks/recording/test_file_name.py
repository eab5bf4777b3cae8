"""A recording's name: dates, numbers, and what is no file."""

import os
import time
from pathlib import Path

import pytest

from sdstream.errors import Forbidden, Unavailable
from sdstream.sinks.recording.file_name import dated, file_of, make_recording

NOW = time.struct_time((2026, 3, 4, 21, 7, 9, 2, 63, 0))


@pytest.mark.parametrize(
    ("url", "file"),
    [
        ("show.mkv", "show.mkv"),
        ("/tmp/a b.mp4", "/tmp/a b.mp4"),
        ("file:show.mkv", "show.mkv"),
        ("file:///tmp/show.mkv", "/tmp/show.mkv"),
        ("FILE://localhost/tmp/show.mkv", "/tmp/show.mkv"),
        ("take 2: the end.mkv", "take 2: the end.mkv"),
    ],
)
def test_a_file_is_told_from_a_server(url: str, file: str) -> None:
    assert file_of(url) == Path(file)


@pytest.mark.parametrize("url", ["rtmp://a/b", "srt://a:1", "tcp://a:1", "pipe:1", "tee:a.mkv|b.mkv"])
def test_a_server_and_a_protocol_of_ffmpeg_are_no_file(url: str) -> None:
    assert file_of(url) is None


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("show-%Y-%m-%d_%H-%M-%S.mkv", "show-2026-03-04_21-07-09.mkv"),
        ("%CCYY-%MM-%DD %hh-%mm-%ss.mkv", "2026-03-04 21-07-09.mkv"),
        ("100%.mkv", "100%.mkv"),
        ("50% off.mkv", "50% off.mkv"),
        ("part%03d.ts", "part%03d.ts"),
        ("100%%.mkv", "100%.mkv"),
    ],
)
def test_dates_are_filled_in_and_other_signs_stay(name: str, written: str) -> None:
    assert dated(name, NOW) == written


def made(path: Path) -> Path:
    """Make a recording, close the file, and return the path."""
    descriptor, found = make_recording(path, NOW)
    os.close(descriptor)
    return found


def test_a_name_that_is_taken_gets_the_first_free_number(tmp_path: Path) -> None:
    assert [made(tmp_path / "show.mkv").name for _ in range(3)] == ["show.mkv", "show-2.mkv", "show-3.mkv"]


@pytest.mark.parametrize("taken", ["folder", "fifo", "dangling link"])
def test_whatever_has_the_name_is_left_alone(tmp_path: Path, taken: str) -> None:
    path = tmp_path / "show.mkv"
    {"folder": Path.mkdir, "fifo": os.mkfifo, "dangling link": lambda at: at.symlink_to(tmp_path / "no")}[taken](path)
    assert made(path).name == "show-2.mkv"


def test_a_folder_with_a_date_is_made(tmp_path: Path) -> None:
    assert made(tmp_path / "%Y-%m-%d" / "show.mkv") == tmp_path / "2026-03-04" / "show.mkv"


def test_a_folder_without_a_date_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="No such file or directory; expected an existing folder"):
        made(tmp_path / "no" / "show.mkv")


def test_a_name_that_is_too_long_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="File name too long"):
        made(tmp_path / ("x" * 300 + ".mkv"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_forbidden(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(Forbidden):
        made(tmp_path / "show.mkv")
