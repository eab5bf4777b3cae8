"""`sdstream run` as a user starts it: a process of its own, with its report and its status."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness.full_pipe import full_pipe

pytestmark = pytest.mark.slow

SHOW = "{version: 1, canvas: {width: 64, height: 48, fps: 30}, source: {kind: testsrc}, engine: {kind: passthrough}, "


def run(file: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sdstream", "run", str(file), *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_a_run_of_some_seconds_ends_with_its_report_as_json(tmp_path: Path):
    file = tmp_path / "show.yaml"
    file.write_text(SHOW + "sinks: [{kind: discard}]}")
    answer = run(file, "--for", "8", "--json", "--log-json")
    assert answer.returncode == 0, answer.stderr
    report = json.loads(answer.stdout)
    assert {"seconds", "source", "engine", "sinks", "audio", "drops"} <= report.keys()
    assert {"frames", "dropped", "reopens", "state"} <= report["source"].keys()
    assert {"frames", "skipped", "dropped", "restarts", "fps"} <= report["engine"].keys()
    sink = report["sinks"][0]
    assert {"kind", "name", "due", "sent", "live", "held", "camera", "slate", "late", "restarts"} <= sink.keys()
    assert sink["latency"].keys() == {"p50", "p95", "p99"}
    assert sink["sent"] == sink["live"] + sink["held"] + sink["camera"] + sink["slate"] > 0
    assert all(json.loads(line)["event"] for line in answer.stderr.splitlines())


def missing_camera(tmp_path: Path, *, optional: bool) -> Path:
    camera = f"{{kind: virtualcam, device: /dev/video99, optional: {str(optional).lower()}}}"
    file = tmp_path / "show.yaml"
    file.write_text(SHOW + f"sinks: [{{kind: discard}}, {camera}]}}")
    return file


def test_a_missing_device_ends_the_run_long_before_its_time(tmp_path: Path):
    answer = run(missing_camera(tmp_path, optional=False), "--for", "50", "--quiet")
    assert answer.returncode == 69
    assert "/dev/video99" in answer.stderr


def test_a_run_goes_on_without_an_optional_sink_whose_device_is_missing(tmp_path: Path):
    answer = run(missing_camera(tmp_path, optional=True), "--for", "8")
    assert answer.returncode == 0
    assert "optional sink left out" in answer.stderr
    assert "discard" in answer.stdout


def test_a_log_that_nobody_reads_any_more_does_not_end_the_run(tmp_path: Path):
    file = tmp_path / "show.yaml"
    file.write_text(SHOW + "sinks: [{kind: discard}]}")
    command = [sys.executable, "-m", "sdstream", "run", str(file), "--for", "6", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    process.stderr.close()
    assert process.stdout is not None
    with process.stdout as out:
        report = json.loads(out.read())
    assert process.wait(30) == 0
    assert report["sinks"][0]["restarts"] == 0
    assert report["sinks"][0]["sent"] > 0


@pytest.mark.parametrize("closed", ["2>&-", "0<&- 1>&- 2>&-"])
def test_closed_standard_files_do_not_end_the_run(tmp_path: Path, closed: str):
    file = tmp_path / "show.yaml"
    file.write_text(SHOW + "sinks: [{kind: discard}]}")
    shell = f'exec "{sys.executable}" -m sdstream run "{file}" --for 5 {closed}'
    assert subprocess.run(["sh", "-c", shell], timeout=60, check=False).returncode == 0


def test_a_log_that_nobody_reads_stops_nothing(tmp_path: Path):
    file = tmp_path / "show.yaml"
    file.write_text(SHOW + "sinks: [{kind: discard}]}")
    options = ["--for", "8", "--json", "--verbose", "--log-json"]
    command = [sys.executable, "-m", "sdstream", "run", str(file), *options]
    with full_pipe() as unread:
        answer = subprocess.run(command, stdout=subprocess.PIPE, stderr=unread, timeout=60, check=False)
    assert answer.returncode == 0
    sink = json.loads(answer.stdout)["sinks"][0]
    assert sink["restarts"] == 0
    assert sink["sent"] >= 0.95 * sink["due"] > 0
    assert sink["live"] > 0
