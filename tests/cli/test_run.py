"""`sdstream run` as a user starts it: a process of its own, with its report and its status."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sdstream import __version__
from sdstream.clip import CLIP
from sdstream.clip.publisher import publisher
from sdstream.log import LogChoice
from tests.harness.full_pipe import full_pipe
from tests.harness.pipeline_run import free_port

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


MODEL = "engine: {model: mini, width: 64, height: 64, acceleration: eager}, controls: {steps: [28]}, "


def test_the_seconds_of_a_run_count_from_the_loaded_engine(tmp_path: Path):
    file = tmp_path / "show.yaml"
    file.write_text(SHOW.replace("engine: {kind: passthrough}, ", MODEL) + "sinks: [{kind: discard}]}")
    answer = run(file, "--for", "1", "--json", "--log-json")
    report = json.loads(answer.stdout)
    assert answer.returncode == 0, answer.stderr
    assert report["engine"]["loading"] == {"phase": "running", "step": 0, "steps": 0}
    assert report["engine"]["frames"] > 0
    assert report["seconds"] > report["aired"] >= 1
    assert report["version"] == __version__


def test_a_run_ended_while_libraries_load_ended_well(tmp_path: Path):
    file = tmp_path / "show.yaml"
    file.write_text(SHOW.replace("engine: {kind: passthrough}, ", MODEL) + "sinks: [{kind: discard}]}")
    command = [sys.executable, "-m", "sdstream", "run", str(file), "--log-json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = process.stderr.readline()  # the sink is open; libraries of the engine take seconds
        process.send_signal(signal.SIGINT)
        out, more = process.communicate(timeout=60)
    assert process.returncode == 0, said + more
    assert "did not end well" not in said + more
    assert "still loading (" in out


@pytest.mark.parametrize(("key", "typed"), [("", "any"), ("key: s3cret-key, ", "the value of source.key")])
def test_a_run_says_what_to_type_into_obs_and_when_the_publisher_is_here(tmp_path: Path, key: str, typed: str):
    file, port = tmp_path / "show.yaml", free_port()
    source = f'{{kind: rtmp, {key}listen: "127.0.0.1:{port}", stall: 1}}'
    file.write_text(SHOW.replace("{kind: testsrc}", source) + "sinks: [{kind: discard}]}")
    with publisher(CLIP, f"rtmp://127.0.0.1:{port}/live/s3cret-key", LogChoice("error")):
        answer = run(file, "--for", "6")
    assert f"Service Custom, Server rtmp://127.0.0.1:{port}/live, Stream Key: {typed}; then Start" in answer.stderr
    assert answer.stderr.index("Start Streaming") < answer.stderr.index("the publisher is here")
    assert "s3cret-key" not in answer.stderr


def test_the_keys_of_the_log_do_not_depend_on_names(tmp_path: Path):
    file = tmp_path / "show.yaml"
    file.write_text(SHOW + "sinks: [{kind: discard}, {kind: discard}]}")
    answer = run(file, "--for", "12", "--log-json")
    lines = [json.loads(line) for line in answer.stderr.splitlines()]
    state = next(line for line in lines if line["event"] == "on air")
    assert state.keys() == {
        *("source", "engine", "engine_fps", "sinks", "prompt", "refused", "event", "level", "timestamp")
    }
    assert [sink["name"] for sink in state["sinks"]] == ["discard.1", "discard.2"]


def configuration(tmp_path: Path, *sinks: dict[str, object]) -> Path:
    """Write a show with these sinks."""
    file = tmp_path / "show.yaml"
    file.write_text(SHOW + f"sinks: {json.dumps(sinks)}}}")
    return file


def unreachable(**more: object) -> dict[str, object]:
    """Return an output to a port without a listener."""
    return {"kind": "ffmpeg", "url": "rtmp://127.0.0.1:9/app/s3cret-key", **more}


@pytest.mark.parametrize("record", [False, True])
def test_a_run_whose_server_was_never_reached_ends_with_69_and_says_so(tmp_path: Path, record: bool):
    sink = unreachable(**({"record": str(tmp_path / "show.mkv")} if record else {}))
    answer = run(configuration(tmp_path, sink, {"kind": "discard"}), "--for", "12", "--json")
    assert answer.returncode == 69
    assert "sink ffmpeg was never reached" in answer.stderr
    assert "s3cret-key" not in answer.stderr
    told = json.loads(answer.stdout)["sinks"][0]
    assert told["reached"] is False
    if not record:
        assert (told["sent"], told["showing"]) == (0, "not connected")
        assert "refused the connection" in told["problem"]
        assert told["tries"] >= 1


def test_a_run_goes_on_well_whose_optional_server_was_never_reached(tmp_path: Path):
    answer = run(configuration(tmp_path, unreachable(optional=True), {"kind": "discard"}), "--for", "5", "--json")
    assert answer.returncode == 0
    assert [sink["reached"] for sink in json.loads(answer.stdout)["sinks"]] == [False, True]
