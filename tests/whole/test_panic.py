"""The panic path of a whole run: a line in the file, and every output obeys; `live` is back at once."""

import json
import os
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.harness.pipeline_run import PipelineRun
from tests.harness.wait import until

pytestmark = pytest.mark.fault

TEXT = """
version: 1
canvas: {width: 320, height: 180}
source: {kind: testsrc}
engine: {kind: passthrough}
controls: {air: live}
sinks: [{kind: discard}]
"""


def test_every_output_obeys_an_override_and_no_picture_is_missing():
    with PipelineRun({"kind": "testsrc"}, {"kind": "discard"}, {"kind": "discard"}) as show:
        show.showing("live", "discard.1")
        for air, rung in (("bypass", "bypass"), ("black", "black"), ("freeze", "frozen"), ("live", "live")):
            show.pipeline.desk.patch({"air": air}, by="test")
            show.showing(rung, "discard.1", 5)
            report = show.showing(rung, "discard.2", 5)
        for sink in report.sinks:
            kinds = (sink.live, sink.held, sink.camera, sink.slate, sink.bypass, sink.frozen, sink.black)
            assert abs(sum(kinds) - sink.sent) <= 1  # the counters are read one after the other
            assert min(sink.bypass, sink.frozen, sink.black) > 0
            assert sink.restarts == 0


def test_an_engine_that_is_dead_does_not_matter_to_a_bypass_nor_a_sink_that_died_to_black():
    with PipelineRun({"kind": "testsrc"}) as show:
        show.showing("live")
        show.pipeline.desk.patch({"air": "bypass"}, by="test")
        show.signal("engine", signal.SIGKILL)
        show.showing("bypass")
        show.pipeline.desk.patch({"air": "black"}, by="test")
        show.showing("black")
        before = show.sink().live
        show.signal("discard", signal.SIGKILL)
        show.wait(lambda report: report.sinks[0].restarts == 1 and report.sinks[0].showing == "black")
        assert show.sink().live == before


def test_a_line_in_the_file_is_the_panic_switch(tmp_path: Path):
    file = tmp_path / "show.yaml"
    file.write_text(TEXT)
    command = [sys.executable, "-m", "sdstream", "run", str(file), "--json", "--log-json"]
    with ExitStack() as stack:
        started = stack.enter_context(
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        )
        stack.callback(started.kill)  # a test that fails must not wait for the daemon
        told = iter(started.stderr)
        until(lambda: "engine loaded" in next(told), 60, "the engine is there")
        file.write_text(TEXT.replace("{air: live}", "{air: black, promt: x}"))
        until(lambda: "control refused" in next(told), 10, "the save was seen")
        os.kill(started.pid, signal.SIGINT)
        report = json.loads(started.stdout.read())
    assert report["sinks"][0]["black"] > 0
    assert report["controls"]["version"] == 2
    assert [(refusal["name"], refusal["by"]) for refusal in report["controls"]["refused"]] == [("promt", "file")]
