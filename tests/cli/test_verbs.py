"""Each verb does its job, prints results on standard output and nothing else there, and ends with its status."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sdstream import __version__
from sdstream.errors import Bug, ConfigError, Forbidden, Lost, SdstreamError, Unavailable
from tests.cli.command_line import Sdstream

GOOD = "version: 1\nsource: {kind: testsrc}\nengine: {kind: passthrough}\nsinks: [{kind: discard}]\n"
HEAVY = ("torch", "av", "numpy", "pydantic", "structlog", "cv2", "diffusers", "starlette", "psutil", "NDIlib", "rich")


@pytest.fixture
def show(tmp_path: Path) -> Path:
    """A small configuration without a mistake."""
    file = tmp_path / "show.yaml"
    file.write_text(GOOD)
    return file


def test_help_loads_nothing_heavy():
    code = (
        "import sys; sys.argv = ['sdstream', '--help']\nfrom sdstream.cli import main\n"
        f"try: main()\nexcept SystemExit: print([name for name in {HEAVY} if name in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Put a configuration on air" in answer.stdout
    assert answer.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("verb", [(), ("run",), ("check",), ("models", "pull"), ("bench",), ("bench", "engine")])
def test_help_has_a_short_name_at_every_verb(sdstream: Sdstream, verb: tuple[str, ...]):
    assert sdstream(*verb, "-h") == sdstream(*verb, "--help")
    assert sdstream(*verb, "-h").status == 0


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("{kind: passthrough}", "{model: ./nowhere}", "engine.model: no such folder or file: './nowhere'"),
        (
            "{kind: passthrough}",
            "{model: paint.safetensors}",
            "engine.model: no such folder or file: 'paint.safetensors'",
        ),
        ("{kind: testsrc}", "{kind: ffmpeg, url: nowhere.mp4}", "source.url: no such file: 'nowhere.mp4'"),
    ],
)
def test_check_names_what_is_not_on_this_machine(sdstream: Sdstream, show: Path, old: str, new: str, named: str):
    show.write_text(GOOD.replace(old, new))
    answer = sdstream("check", str(show))
    assert answer.status == Unavailable.exit_code
    assert answer.err.startswith(named)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("{kind: passthrough}", "{model: stabilityai/sd-turbo}"),
        ("{kind: testsrc}", "{kind: ffmpeg, url: 'rtsp://127.0.0.1/a'}"),
        ("{kind: testsrc}", "{kind: ffmpeg, url: 'pipe:0'}"),
        ("{kind: testsrc}", "{kind: ffmpeg, format: dshow, url: video=Camera}"),
    ],
)
def test_check_takes_what_only_the_run_can_find(sdstream: Sdstream, show: Path, old: str, new: str):
    show.write_text(GOOD.replace(old, new))
    assert sdstream("check", str(show)).status == 0


def test_the_version_is_printed(sdstream: Sdstream):
    assert sdstream("--version").out == f"sdstream {__version__}\n"


@pytest.mark.parametrize(
    "verb", ["run", "demo", "init", "check", "schema", "sources", "sinks", "probe", "doctor", "bench", "models"]
)
def test_every_verb_explains_itself(sdstream: Sdstream, verb: str):
    answer = sdstream(verb, "--help")
    assert (answer.status, answer.err) == (0, "")
    assert f"Usage: sdstream {verb}" in answer.out


@pytest.mark.parametrize(
    "arguments",
    [
        ["fly"],
        ["run"],
        ["run", "a", "b"],
        ["run", "x.yaml", "--for", "soon"],
        ["run", "x.yaml", "--for", "0"],
        ["bench", "path", "--set", "source.key=another"],
        ["bench", "path", "--size", "large"],
        ["bench", "path", "--model", "mini@384"],
    ],
)
def test_a_command_that_cannot_be_understood_ends_with_2(sdstream: Sdstream, arguments: list[str]):
    answer = sdstream(*arguments)
    assert (answer.status, answer.out) == (2, "")
    assert "Usage:" in answer.err


def test_check_prints_the_effective_configuration(sdstream: Sdstream, show: Path):
    answer = sdstream("check", str(show), "--all", "--set", "canvas.fps=60")
    assert (answer.status, answer.err) == (0, "")
    assert "fps: 60.0" in answer.out
    as_json = json.loads(sdstream("check", str(show), "--json").out)["configuration"]
    assert as_json["sinks"] == [{"optional": False, "kind": "discard"}]


@pytest.mark.parametrize("verb", ["check", "run"])
def test_a_wrong_configuration_ends_with_78_and_one_line_for_each_mistake(sdstream: Sdstream, show: Path, verb: str):
    show.write_text(GOOD + "canvas: {fps: 0, widht: 1}\n")
    answer = sdstream(verb, str(show))
    assert (answer.status, answer.out) == (ConfigError.exit_code, "")
    assert [line.split(": ")[0] for line in answer.err.splitlines()] == [f"{show}:5:15", f"{show}:5:18"]


def test_schema_prints_the_schema_and_the_reference_page(sdstream: Sdstream):
    assert json.loads(sdstream("schema").out)["title"] == "Config"
    assert sdstream("schema", "--reference").out.startswith("# Configuration\n")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ConfigError, 78),
        (Unavailable, 69),
        (Lost, 69),
        (Forbidden, 77),
        (Bug, 70),
        (SdstreamError, 70),
        (ValueError, 70),
    ],
)
def test_an_error_becomes_its_status_and_a_message_without_a_trace(
    sdstream: Sdstream, monkeypatch: pytest.MonkeyPatch, show: Path, error: type[Exception], status: int
):
    def fail(*args: object) -> None:
        raise error("the reason")

    monkeypatch.setattr("sdstream.config.load.read", fail)
    answer = sdstream("check", str(show))
    assert (answer.status, answer.out) == (status, "")
    assert "the reason" in answer.err
    assert answer.err.count("\n") == 1


def test_a_bug_shows_its_trace_when_asked(sdstream: Sdstream, monkeypatch: pytest.MonkeyPatch, show: Path):
    def fail(*args: object) -> None:
        raise ZeroDivisionError("the reason")

    monkeypatch.setattr("sdstream.config.load.accepted", fail)
    assert "Traceback" in sdstream("run", str(show), "-v").err


def test_a_reader_that_has_enough_is_no_error():
    command = [sys.executable, "-m", "sdstream", "schema"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0
