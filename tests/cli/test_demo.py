"""`sdstream demo` is the main job, and leaves a recording and a sheet of it."""

import contextlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from unittest.mock import Mock

import av
import numpy as np
import psutil
import pytest
from PIL import Image

from sdstream import log
from sdstream.cli import demo
from sdstream.cli.contact_sheet import MOMENTS, ROWS, ContactSheet
from sdstream.cli.output import tell_line
from sdstream.clip import CLIP
from sdstream.errors import Forbidden, SdstreamError, Unavailable
from sdstream.log import tell
from tests.cli.command_line import Sdstream
from tests.harness.pipeline_run import free_port
from tests.sinks.preview_stage import CANVAS, on_air


def session_of(pid: int) -> int | None:
    """Return the session of a process; None for a process that is gone, or dead and not yet reaped by the system."""
    with contextlib.suppress(OSError, psutil.Error):
        return None if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE else os.getsid(pid)
    return None


@pytest.mark.slow
@pytest.mark.timeout(330)
def test_the_demo_shows_what_the_bundled_model_makes_of_the_clip_that_comes_by_rtmp(tmp_path: Path):
    recording = tmp_path / "it's a show.mkv"
    command = [sys.executable, "-m", "sdstream", "demo", "--for", "8", "--output", str(recording), "--json"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes, start_new_session=True) as started:
        said, told = started.communicate(timeout=300)
    assert started.returncode == 0, told
    assert re.search(r"^Watch it at http://127\.0\.0\.1:\d+/$", told, re.MULTILINE)
    report = json.loads(said)
    sinks = {sink["kind"]: sink for sink in report["sinks"]}
    assert sinks["preview"]["live"] > 5
    assert report["first_picture"] > 0
    with av.open(str(recording)) as container:
        pictures = [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]
    assert pictures[-1].shape == (360, 640)
    assert len({picture.tobytes() for picture in pictures}) > 30
    with av.open(str(recording)) as container:
        heard = np.concatenate([frame.to_ndarray() for frame in container.decode(audio=0)], axis=1)
    assert np.abs(heard).max() > 0.1  # the clip's own sound, delayed as the picture is
    with Image.open(report["sheet"]) as sheet:
        assert sheet.format == "PNG"
        assert np.asarray(sheet).std() > 20
    left = [pid for pid in psutil.pids() if session_of(pid) == started.pid]
    assert not left


def test_the_clip_is_small_and_has_picture_and_sound_and_its_credits():
    assert CLIP.stat().st_size < 1_500_000
    with av.open(str(CLIP)) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        assert (video.width, video.height, audio.channels) == (640, 360, 2)
        assert 8 <= container.duration / av.time_base <= 12
    credit = (CLIP.parent / "CREDITS.md").read_text(encoding="utf-8")
    assert {"Big Buck Bunny", "Tears of Steel", "Blender Foundation", "CC-BY-3.0"} <= set(
        re.findall(r"Big Buck Bunny|Tears of Steel|Blender Foundation|CC-BY-3\.0", credit)
    )


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere only opening a virtual camera tells whether it is there")
@pytest.mark.parametrize(
    ("ndi", "camera", "kinds"),
    [
        (None, None, ["ffmpeg", "preview", "ndi", "virtualcam"]),
        (Unavailable("no runtime"), None, ["ffmpeg", "preview", "virtualcam"]),
        (None, Unavailable("no module"), ["ffmpeg", "preview", "ndi"]),
        (None, Forbidden("not in the group"), ["ffmpeg", "preview", "ndi"]),
    ],
)
def test_a_show_has_the_sinks_that_the_machine_has(
    monkeypatch: pytest.MonkeyPatch, ndi: SdstreamError | None, camera: SdstreamError | None, kinds: list[str]
):
    monkeypatch.setattr("sdstream.system.ndi_runtime.load_ndi", Mock(side_effect=ndi))
    monkeypatch.setattr("sdstream.sinks.loopback.choose", Mock(side_effect=camera))
    config = demo._config(Path('a "show".mkv'), {"SDSTREAM_DEMO_KEY": "k3y-of-a-show", "SDSTREAM_DEMO_PORT": "1936"})
    assert [sink.kind for sink in config.sinks] == kinds


@pytest.mark.parametrize("taken", ["show.png", "show.mkv"])
def test_neither_sheet_nor_recording_is_overwritten(sdstream: Sdstream, tmp_path: Path, taken: str):
    (tmp_path / taken).write_text("precious")
    answer = sdstream("demo", "--output", str(tmp_path / "show.mkv"))
    assert answer.status == 69
    assert f"{taken} exists and is not overwritten" in answer.err
    assert (tmp_path / taken).read_text() == "precious"


def test_a_contact_sheet_keeps_the_first_and_the_last_pair_of_each_look_and_so_many_looks(tmp_path: Path):
    sheet = ContactSheet()
    with on_air() as (browser, _):
        for number in range(ROWS + 2):
            for _ in range(3):
                sheet.add(browser.port, f"look {number}")
        first, last = sheet.rows[0][1]
    assert [look for look, _ in sheet.rows] == [f"look {number}" for number in range(ROWS)]
    assert {len(pairs) for _, pairs in sheet.rows} == {MOMENTS}
    assert first != last
    assert sheet.write(tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as drawn:
        pair_height = round(drawn.width / MOMENTS / 2 * CANVAS.height / CANVAS.width)
        assert drawn.height == pytest.approx(ROWS * (pair_height + 30), rel=0.05)


def test_a_contact_sheet_without_a_page_stays_empty_and_writes_nothing(tmp_path: Path):
    sheet = ContactSheet()
    sheet.add(free_port(), "oil")
    assert not sheet.write(tmp_path / "sheet.png")
    assert list(tmp_path.iterdir()) == []


def test_a_demo_that_fails_leaves_nothing_behind(sdstream: Sdstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "show-of-mine.mkv").write_text("precious")
    text = demo._SHOW.replace("model: mini", "model: mini, device: 'cuda:99'")
    monkeypatch.setattr(demo, "_SHOW", text)
    monkeypatch.setattr(demo, "_more_sinks", lambda: "")
    answer = sdstream("demo", "--output", str(tmp_path / "show.mkv"), "--quiet")
    assert (answer.status, "cuda:99" in answer.err) == (69, True)
    assert [file.name for file in tmp_path.iterdir()] == ["show-of-mine.mkv"]


@pytest.mark.parametrize("error", [Unavailable("gone"), ZeroDivisionError("a bug"), KeyboardInterrupt()])
def test_whatever_ends_a_demo_takes_its_files_along(tmp_path: Path, error: BaseException):
    recording = tmp_path / "show.mkv"
    with contextlib.suppress(type(error)), demo._nothing_left_after_failure(recording):
        for name in ("show.mkv", "show-2.mkv", "show.png"):
            (tmp_path / name).touch()
        raise error
    assert list(tmp_path.iterdir()) == []


def test_a_demo_that_ends_well_keeps_its_files(tmp_path: Path):
    with demo._nothing_left_after_failure(tmp_path / "show.mkv"):
        (tmp_path / "show.mkv").touch()
    assert (tmp_path / "show.mkv").exists()


def test_the_address_of_the_page_is_whole_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    tell("the status line", end="")
    tell_line("Watch it at a place")
    log.flush()
    assert capfd.readouterr().err == "the status line\r\x1b[KWatch it at a place\n"
