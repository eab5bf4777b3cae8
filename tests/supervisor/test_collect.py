"""The report is collected from counters: what is owed, refused and on air."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from sdstream.air.fallback_ladder import Rung
from sdstream.cli.report_table import status_line, table
from sdstream.config.schema import Config
from sdstream.controls import Controls
from sdstream.ipc.loading import Phase, tell_loading
from sdstream.log import LogChoice
from sdstream.stages.on_air import OnAirText
from sdstream.supervisor import collect
from sdstream.supervisor.report import SinkReport
from sdstream.supervisor.wiring import Wiring
from tests.harness.restyled_frame import restyled


@pytest.fixture
def wiring() -> Iterator[Wiring]:
    parts = {"source": {"kind": "testsrc"}, "engine": {"kind": "passthrough"}, "sinks": [{"kind": "discard"}]}
    config = Config.model_validate({"version": 1, "canvas": {"width": 64, "height": 48, "fps": 30}, **parts})
    made = Wiring(config, LogChoice(), 0.0)
    yield made
    made.close()


def sink(wiring: Wiring, first: int, last: int, seconds: float) -> SinkReport:
    counters = wiring.sinks[0].stage.context.counters
    counters.set("first", first)
    counters.set("last", last)
    counters.set("sent", last - first + 1 if first else 0)
    counters.set("live", counters.get("sent"))
    return collect.take(wiring, seconds).sinks[0]


def test_a_sink_that_is_away_owes_what_falls_due_meanwhile(wiring: Wiring) -> None:
    away = sink(wiring, first=1, last=30, seconds=10.0)
    assert (away.due, away.sent, away.showing) == (301, 30, "away")


@pytest.mark.parametrize("behind", [0, 1, 7])
def test_a_sink_that_catches_up_owes_nothing_yet(wiring: Wiring, behind: int) -> None:
    behind_by_little = sink(wiring, first=11, last=301 - behind, seconds=10.0)
    assert (behind_by_little.share, behind_by_little.showing) == (1.0, "live")


def test_before_its_first_picture_a_sink_owes_nothing(wiring: Wiring) -> None:
    assert sink(wiring, first=0, last=0, seconds=10.0).due == 0


def test_the_report_tells_what_was_refused_and_why(wiring: Wiring) -> None:
    wiring.desk.patch({"prompt": "ink", "promt": "oil"}, by="chat")
    report = collect.take(wiring, 1.0)
    refusal = {"name": "promt", "reason": 'unknown key; did you mean "prompt"?', "by": "chat"}
    assert report.as_dict()["controls"] == {"version": 2, "refused": (refusal,), "remarks": ()}
    assert "refused: promt" in status_line(report, 200)
    assert 'promt: unknown key; did you mean "prompt"? (by chat)' in table(report)


@pytest.mark.parametrize(
    ("rung", "told"), [(Rung.LIVE, True), (Rung.HELD, True), (Rung.CAMERA, False), (Rung.BYPASS, False)]
)
def test_a_prompt_is_on_air_while_a_sink_shows_a_restyled_picture(wiring: Wiring, rung: Rung, told: bool) -> None:
    controls = Controls(prompt="ink")
    text = OnAirText(wiring.on_air)
    text.entered(controls, 4)
    text.show(restyled("ink", 0.5, controls), now=0.0)
    wiring.sinks[0].stage.context.counters.set("rung", list(Rung).index(rung))
    sink(wiring, first=1, last=301, seconds=10.0)
    report = collect.take(wiring, 10.0)
    expected = {"prompt": "ink", "fading": 0.5, "controls_version": 4, "preparing": "", "cues_since": None}
    assert report.as_dict()["on_air"] == (expected if told else None)
    assert ("“ink” (fading in, 50%)" in status_line(report, 200)) is told


def test_pictures_of_an_override_are_counted_by_themselves(wiring: Wiring) -> None:
    counters = wiring.sinks[0].stage.context.counters
    counters.set("bypass", 30)
    counters.set("rung", list(Rung).index(Rung.BYPASS))
    report = collect.take(wiring, 10.0)
    assert (report.sinks[0].bypass, report.sinks[0].camera) == (30, 0)
    assert "discard: bypass 30" in table(report)


def test_a_refused_name_moves_no_cursor(wiring: Wiring) -> None:
    wiring.desk.patch({"\x1b[2J": 1, "prompt.\x9b2J": 1}, by="chat")
    report = collect.take(wiring, 1.0)
    assert not {"\x1b", "\x9b"} & set(status_line(report, 200) + table(report))


def test_the_report_and_the_status_line_tell_how_far_the_loading_has_come(wiring: Wiring) -> None:
    context = wiring.engine.context
    assert "engine starting" in status_line(collect.take(wiring, 1.0), 200)
    context.begun()
    tell_loading(context.counters, Phase.COMPILING, 2, 6)
    report = collect.take(wiring, 1.0)
    assert report.as_dict()["engine"]["loading"] == {"phase": "compiling", "step": 2, "steps": 6}
    assert "engine compiling 2 of 6" in status_line(report, 200)
    assert "the engine was still loading (compiling 2 of 6)" in table(report)
    context.ready()
    assert "engine 0.0 fps" in status_line(collect.take(wiring, 1.0), 200)
    assert "loading" not in table(collect.take(wiring, 1.0))


def test_a_sink_without_a_picture_sent_no_share(wiring: Wiring) -> None:
    never = sink(wiring, first=0, last=0, seconds=10.0)
    assert (never.share, never.reached) == (0.0, False)


def test_after_five_tries_the_status_line_says_why_a_sink_is_not_open(wiring: Wiring) -> None:
    report = collect.take(wiring, 1.0)
    for tries, loud in ((4, False), (5, True)):
        failing = replace(report.sinks[0], tries=tries, problem="the key is in use", showing="not connected")
        line = status_line(replace(report, sinks=(failing,)), 200)
        assert "not connected 0.0%" in line
        assert (f"{tries} TRIES FAILED: the key is in use" in line) is loud
