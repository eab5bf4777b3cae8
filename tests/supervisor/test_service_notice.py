"""What systemd hears of a run."""

import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from sdstream.supervisor.report import Report
from sdstream.supervisor.service_notice import ServiceNotice
from tests.harness.pipeline_run import PipelineRun

SHOW = "version: 1\nsource: {kind: testsrc}\nengine: {kind: passthrough}\nsinks: [{kind: discard}]\n"


def later(report: Report, sent: int) -> Report:
    return replace(report, sinks=tuple(replace(sink, sent=sent) for sink in report.sinks))


def test_the_watchdog_is_fed_by_pictures_alone() -> None:
    with PipelineRun({"kind": "testsrc"}) as run:
        report = run.report
    notice = ServiceNotice()
    fed = ["WATCHDOG=1" in notice.of(later(report, sent)) for sent in (0, 0, 5, 5, 9)]
    assert fed == [False, False, True, False, True]


def test_ready_is_said_once_when_every_output_sends() -> None:
    with PipelineRun({"kind": "testsrc"}) as run:
        report = run.report
    notice = ServiceNotice()
    said = ["READY=1" in notice.of(later(report, sent)) for sent in (0, 1, 2)]
    assert said == [False, True, False]


@pytest.mark.parametrize("abstract", [False, True])
def test_a_run_tells_the_service_manager(tmp_path: Path, abstract: bool) -> None:
    show = tmp_path / "show.yaml"
    show.write_text(SHOW)
    name = f"@sdstream-test-{os.getpid()}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(f"\0{name[1:]}" if abstract else name)
        manager.settimeout(30)
        command = [sys.executable, "-m", "sdstream", "run", str(show), "--for", "2", "-q"]
        with subprocess.Popen(command, env={**os.environ, "NOTIFY_SOCKET": name}, stdout=subprocess.DEVNULL) as process:
            heard = ""
            while "STOPPING=1" not in heard:
                heard += manager.recv(4096).decode() + "\n"
            assert process.wait(20) == 0
    assert heard.index("READY=1") < heard.index("STOPPING=1")
    assert "WATCHDOG=1" in heard
    assert "STATUS=source live, discard " in heard
