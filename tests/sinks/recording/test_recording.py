"""A recording survives: a cut at any moment, a full disk, a deleted file, a slow disk."""

import os
import resource
import shutil
import signal
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import av
import numpy as np
import pytest

from sdstream.config.outputs import FfmpegSinkSettings
from sdstream.config.schema import Canvas
from sdstream.errors import Lost, Unavailable
from sdstream.frame import Frame
from sdstream.sinks import Due
from sdstream.sinks.context import SinkContext
from sdstream.sinks.ffmpeg import FfmpegSink
from sdstream.sinks.recording.disk_file import DiskFile
from tests.harness import bars
from tests.harness.wait import until

CANVAS = Canvas(width=320, height=180, fps=30)


def sink_to(path: Path, *, reopened: bool = False, **more: object) -> FfmpegSink:
    settings = {"kind": "ffmpeg", "url": str(path), "preset": "ultrafast", "bitrate": "800k", **more}
    return FfmpegSink(FfmpegSinkSettings.model_validate(settings), SinkContext(CANVAS, reopened=reopened))


def send(sink: FfmpegSink, numbers: range) -> None:
    for number in numbers:
        picture = Frame(bars.draw(320, 180, number), number, 0.0, 0.0)
        sink.send(picture, np.zeros((1600, 2), np.float32), Due(number))


def show(sink: FfmpegSink, numbers: range, pause: float = 0.01) -> None:
    """Send one after the other, so that the disk keeps up."""
    with sink:
        for number in numbers:
            send(sink, range(number, number + 1))
            time.sleep(pause)


def pictures(path: Path) -> int:
    """Return the number of pictures that a player shows."""
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


@pytest.mark.parametrize("ending", ["mp4", "mov", "m4v", "mkv", "flv", "ts", "avi"])
@pytest.mark.parametrize("keyframe_interval", [0.5, 10.0])
def test_a_cut_at_any_moment_costs_less_than_a_second(tmp_path: Path, ending: str, keyframe_interval: float) -> None:
    file, cut = tmp_path / f"show.{ending}", tmp_path / f"cut.{ending}"
    sink = sink_to(file, keyframe_interval=keyframe_interval)
    with sink:
        for more in range(5):
            send(sink, range(100) if not more else range(93 + more * 7, 100 + more * 7))
            time.sleep(0.2)  # the thread that writes
            shutil.copy(file, cut)  # what a process killed now would leave
            assert pictures(cut) > 100 + more * 7 - 30
    assert pictures(file) == 128


@pytest.mark.parametrize("ending", ["mp4", "mov"])
def test_after_a_clean_end_a_file_is_an_ordinary_mp4(tmp_path: Path, ending: str) -> None:
    with sink_to(tmp_path / f"show.{ending}") as sink:
        send(sink, range(60))
    data = (tmp_path / f"show.{ending}").read_bytes()
    assert data.rfind(b"moov") > len(data) / 2
    with av.open(str(tmp_path / f"show.{ending}")) as container:
        assert container.streams.video[0].frames == 60  # a fragmented file does not know


@contextmanager
def room(size: int):
    """Let this process write files of at most `size` bytes: each further write fails, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
def test_a_full_disk_is_unavailable_and_the_file_plays(tmp_path: Path, ending: str) -> None:
    file = tmp_path / f"show.{ending}"
    with room(200_000), pytest.raises(Unavailable, match=rf"show\.{ending} ended: .*the file plays up to here"):
        show(sink_to(file), range(300), 0.005)
    assert pictures(file) > 15


def test_on_a_full_disk_a_recording_does_not_begin_anew(tmp_path: Path) -> None:
    """Every try would leave a short file."""
    needed = shutil.disk_usage(tmp_path).free * 8 // 5
    sink = sink_to(tmp_path / "show.mkv", reopened=True)
    sink._room = needed
    with pytest.raises(Unavailable, match=r"the disk has .* MB left; expected .* MB"):
        sink.__enter__()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
def test_a_deleted_file_is_told_and_a_new_file_can_begin(tmp_path: Path, ending: str) -> None:
    file = tmp_path / f"show.{ending}"
    threading.Timer(0.5, file.unlink).start()
    with pytest.raises(Lost, match="was deleted during the recording"):
        show(sink_to(file), range(600))
    with sink_to(file, reopened=True) as sink:
        send(sink, range(40))
    assert pictures(file) == 40


def test_a_renamed_file_is_still_written(tmp_path: Path) -> None:
    with sink_to(tmp_path / "show.mp4") as sink:
        send(sink, range(40))
        (tmp_path / "show.mp4").rename(tmp_path / "kept.mp4")
        send(sink, range(40, 80))
    assert pictures(tmp_path / "kept.mp4") == 80


def test_what_is_written_is_synced_each_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[float] = []
    really = os.fsync

    def fsync(descriptor: int) -> None:
        synced.append(time.monotonic())
        really(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    show(sink_to(tmp_path / "show.mp4"), range(90), 1 / 30)
    assert max(np.diff(synced)) < 1.0


def test_a_slow_disk_holds_up_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: time.sleep(0.6))
    with sink_to(tmp_path / "show.mkv") as sink:
        began = time.monotonic()
        send(sink, range(60))
        assert time.monotonic() - began < 0.9
    assert pictures(tmp_path / "show.mkv") == 60


def test_a_disk_that_never_takes_a_byte_fails_within_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sdstream.sinks.recording.disk_file.MOST_WAITING", 10_000)
    monkeypatch.setattr(os, "write", lambda *_: time.sleep(0.2) or 1)
    file = DiskFile(os.open(tmp_path / "x", os.O_CREAT | os.O_RDWR), tmp_path / "x")
    for _ in range(30):
        file.write(b"x" * 1000)
        file.commit()
    until(lambda: file.failure is not None, 1, "the failure")
    assert "too slow" in str(file.failure)
    file.close()
