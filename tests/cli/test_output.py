"""Results are text that a program can read, and a terminal colours."""

import errno
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from sdstream.cli.doctor import _lines
from sdstream.cli.endpoints import listed
from sdstream.cli.output import rendered, say, say_json, styled
from sdstream.cli.progress_bar import fetching_bar, progress_bar
from sdstream.cli.report_table import status_line, table
from sdstream.config.printing.document import schema_text
from sdstream.ipc import progress
from sdstream.ipc.loading import Loading, Phase
from sdstream.supervisor.control_desk import Refusal
from sdstream.supervisor.report import ControlsReport, EngineReport, Report, SinkReport, SourceReport
from sdstream.system.endpoint import Endpoint
from sdstream.system.finding import Finding

LATENCY = {"p50": 0.0123, "p95": 0.02, "p99": None}
SINK = SinkReport(
    *("discard", "discard", 200, 100, 90, 5, 3, 2, 1, 4, 0, LATENCY),
    showing="live",
)
REPORT = Report(
    seconds=12.3,
    source=SourceReport(frames=120, dropped=3, reopens=1, state="live"),
    engine=EngineReport(frames=110, skipped=2, dropped=7, restarts=0, fps=24.96, first=1.5, flicker=3.21),
    sinks=(SINK,),
    audio_offset=0.04,
    drops={"engine busy": 7},
    latency={"source": LATENCY},
    controls=ControlsReport(version=1),
    reason="[red]",
)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Make standard output and standard error a terminal."""

    def make(**environment: str) -> None:
        monkeypatch.delenv("NO_COLOR", raising=False)
        for name, value in {"TERM": "xterm-256color", **environment}.items():
            monkeypatch.setenv(name, value)
        for stream in (sys.stdout, sys.stderr):
            monkeypatch.setattr(stream, "isatty", lambda: True)

    return make


def test_colour_is_for_terminals(terminal: Callable[..., None]):
    assert styled("x", "red") == "x"
    terminal()
    assert styled("x", "red") == "\x1b[31mx\x1b[0m"


def test_no_color_turns_colour_off(terminal: Callable[..., None]):
    terminal(NO_COLOR="1")
    assert styled("x", "red") == "x"


def test_a_long_line_stays_one_line():
    assert rendered("word " * 500).count("\n") == 0


def test_brackets_and_colons_are_text():
    assert rendered("pip install 'sdstream[ndi]' :smile:") == "pip install 'sdstream[ndi]' :smile:"


def test_endpoints_stand_in_columns_with_their_state_below():
    endpoints = [Endpoint("A", "/dev/video0", {"kind": "x"}, "free"), Endpoint("Longer", "", {"kind": "y"})]
    assert listed(endpoints, "-").splitlines() == [
        'A       /dev/video0  - {kind: "x"}',
        "                     free",
        'Longer               - {kind: "y"}',
    ]


def test_the_name_of_a_stranger_moves_no_terminal():
    name = "PC (\x1b[2J\x9b\x7f)"
    text = listed([Endpoint(name, name, {"name": name}, name)], "-")
    assert text.replace("\n", "").isprintable()
    settings = text.splitlines()[0].partition(" - ")[2]
    assert YAML(typ="safe").load(settings) == {"name": name}


def test_a_state_on_a_terminal_does_not_fill_the_line(terminal: Callable[..., None]):
    terminal()
    endpoints = [Endpoint("A", "", {"kind": "x"}, state) for state in ("long " * 40, "free")]
    assert listed(endpoints, "-").endswith("\x1b[2mfree\x1b[0m")


def test_the_report_tells_its_numbers_in_columns():
    assert table(REPORT).splitlines() == [
        "ran 12.3 s; ended because [red]",
        "source   120 frames, 3 dropped, 1 reopened, live",
        "engine   110 frames, 25.0 fps, 2 skipped as still, 7 dropped, 0 restarts, flicker 3.2 grey levels",
        "sink          due  sent   share  live  held  camera  slate  late  dropped  restarts  p50 ms  p95 ms  p99 ms",
        "discard       200   100  50.00%    90     5       3      2     1        4         0    12.3    20.0       -",
        "latency  source: p50 12.3 ms, p95 20.0 ms, p99 - ms",
        "audio    +40.0 ms ahead of the picture",
        "drops    engine busy 7",
    ]


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[\d;]*m", "", text)


@pytest.mark.parametrize("width", [80, 100, 200])
def test_the_report_fits_the_terminal_and_loses_no_number(terminal: Callable[..., None], width: int):
    terminal(COLUMNS=str(width))
    long = replace(REPORT, reason="a reason of many words " * 12)
    lines = plain(table(long)).splitlines()
    assert max(len(line) for line in lines) <= width
    wide = table(long)
    assert set(wide.split()) >= {"200", "100", "50.00%", "90", "5", "3", "2", "12.3", "20.0"}
    heads = [line.split() for line in lines if line.startswith("sink ")]
    assert len(heads) == (1 if width >= 112 else 2)
    assert len({name for head in heads for name in head}) == 1 + 10 + 3 + 1  # names, p50 p95 p99, and ms


def test_a_line_to_copy_is_whole_on_a_narrow_terminal(terminal: Callable[..., None]):
    terminal(COLUMNS="80")
    fix = "sudo apt-get install " + "package " * 30
    text = plain(_lines(Finding("virtualcam", "note", "a finding " * 20, fix.strip())))
    assert f"→ {fix.strip()}" in [line.strip() for line in text.splitlines()]
    assert all(len(line) <= 80 for line in text.splitlines() if "→" not in line)


def test_a_step_of_loading_has_a_bar_in_the_status_line():
    loading = replace(REPORT, engine=replace(REPORT.engine, loading=Loading("compiling", 4, 6)))
    assert "engine compiling 4 of 6 ━━━━╌╌╌╌" in status_line(loading, 200)


def test_a_bar_is_for_terminals(terminal: Callable[..., None], capsys: pytest.CaptureFixture[str]):
    with progress_bar("measuring", 2) as done:
        done(1)
    assert capsys.readouterr() == ("", "")
    terminal(COLUMNS="80")
    with progress_bar("measuring", 2) as done:
        done(1)
    out, err = capsys.readouterr()
    assert (out, "measuring" in err) == ("", True)


def screens(text: str) -> list[str]:
    """Return the states of a line that was written again and again."""
    bare = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
    return [line.rstrip() for line in re.split(r"[\r\n]", bare) if line.strip()]


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_bar_of_fetching_tells_megabytes_on_one_line(terminal: Callable[..., None], capsys, width: int):
    terminal(COLUMNS=str(width))
    with fetching_bar("fetching " + "a-long-name/" * 9), progress.between(Phase.FETCHING) as tell:
        tell(600, 2400)
        tell(2400, 2400)
    seen = screens(capsys.readouterr().err)
    assert max(map(len, seen)) <= width
    assert "2.4/2.4 GB" in seen[-1]
    assert seen[-1].startswith("fetching")


def test_a_bar_of_unknown_length_shows_the_time(terminal: Callable[..., None], capsys):
    terminal(COLUMNS="80")
    with progress_bar("cut, 1 of 5", None):
        pass
    assert re.search(r"^cut, 1 of 5 .*0:00:00$", screens(capsys.readouterr().err)[-1])


def test_the_status_line_fits_the_terminal():
    whole = "     12 s  source live  engine 25.0 fps  discard live 50.0%"
    assert status_line(REPORT, 200) == whole
    assert status_line(REPORT, 20) == whole[:20].rstrip()


def test_a_delay_of_the_pictures_is_told_with_its_reason():
    source = replace(REPORT.source, buffer=0.37, buffer_at_most=1.0, buffer_reason="pictures come in bursts")
    report = replace(REPORT, source=source)
    assert "source live +0.37 s (pictures come in bursts)  engine" in status_line(report, 200)
    assert table(report).splitlines()[1].endswith("live, delayed by 0.37 s: pictures come in bursts")
    assert report.as_dict()["source"]["buffer_at_most"] == 1.0


def test_the_status_line_colours_what_is_shown(terminal: Callable[..., None]):
    terminal()
    assert "\x1b[32mlive\x1b[0m" in status_line(REPORT, 200)


def test_half_a_surrogate_pair_is_printed_as_an_escape(capfd: pytest.CaptureFixture[str]):
    report = replace(REPORT, controls=ControlsReport(1, (Refusal("\ud800", "unknown key", "file"),)))
    say_json(report.as_dict())
    assert json.loads(capfd.readouterr().out)["controls"]["refused"][0]["name"] == "\ud800"
    say("name \ud800, é")
    assert capfd.readouterr().out == "name \\ud800, é\n"


def test_a_report_is_rendered_for_a_terminal_that_was_closed(monkeypatch: pytest.MonkeyPatch):
    class Closed(io.StringIO):
        def isatty(self) -> bool:
            return True

        def write(self, text: str) -> int:
            raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(sys, "stdout", Closed())
    assert "ran 12.3 s" in table(REPORT)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
@pytest.mark.parametrize("verb", [["schema"], ["doctor"], ["check", "--all"], ["check", "--json"], ["--help"]])
def test_a_terminal_without_unicode_gets_every_result(tmp_path: Path, verb: list[str], encoding: str):
    file = tmp_path / "show.yaml"
    file.write_text("version: 1\nsource: {kind: testsrc}\nsinks: [{kind: discard}]\ncontrols: {prompt: 'ö 😀'}\n")
    command = [sys.executable, "-m", "sdstream", *verb, *([str(file)] if verb[0] == "check" else [])]
    environment = os.environ | {"PYTHONIOENCODING": encoding}
    done = subprocess.run(command, env=environment, capture_output=True, check=False)
    assert done.returncode in (0, 69), done.stderr.decode(encoding)
    assert done.stdout.decode(encoding)
    if verb == ["schema"]:
        assert json.loads(done.stdout.decode(encoding)) == json.loads(schema_text())
    if "--json" in verb:
        assert json.loads(done.stdout.decode(encoding))["configuration"]["controls"]["prompt"] == "ö 😀"


def test_an_override_of_an_ascii_locale_is_read_as_it_was_typed(tmp_path: Path):
    file = tmp_path / "show.yaml"
    file.write_text("version: 1\nsource: {kind: testsrc}\nsinks: [{kind: discard}]\n")
    command = [sys.executable, "-m", "sdstream", "check", "--json", str(file), "--set", 'controls.prompt="ö"']
    locale = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "POSIX"}
    done = subprocess.run(command, env=os.environ | locale, capture_output=True, check=False)
    assert json.loads(done.stdout)["configuration"]["controls"]["prompt"] == "ö"
