"""The folder of a recording goes away in mid-show, in a whole run: the recording alone is away, and begins again."""

import shutil
from pathlib import Path

import av

from tests.harness.pipeline_run import PipelineRun


def test_a_folder_that_is_deleted_costs_the_recording_alone_until_the_folder_is_back(tmp_path: Path) -> None:
    folder = tmp_path / "shows"
    folder.mkdir()
    recording = {"kind": "file", "path": str(folder / "show.mkv"), "preset": "ultrafast", "bitrate": "500k"}
    with PipelineRun({"kind": "testsrc"}, {"kind": "discard"}, recording) as run:
        run.showing("live", "file", 40)
        run.showing("live", "discard", 40)
        shutil.rmtree(folder)
        run.wait(lambda report: report.sinks[1].showing == "away" and "cannot be opened" in report.sinks[1].problem, 30)
        assert "No such file or directory" in run.sink("file").problem
        folder.mkdir()
        before = run.sink("file").sent
        run.wait(lambda report: report.sinks[1].showing == "live" and report.sinks[1].sent > before + 60, 40)
        beside = run.sink("discard")
        assert (beside.restarts, beside.showing) == (0, "live")
        assert beside.sent >= beside.due - 3
    with av.open(str(folder / "show.mkv")) as made:
        assert sum(packet.size > 0 for packet in made.demux(video=0)) > 60
