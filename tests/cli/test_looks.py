"""The looks of the bundled model are listed, and a prompt without a look is told."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from sdstream.cli.announcer import Announcer
from sdstream.cli.config_watcher import ConfigWatcher
from sdstream.config.load import load, loads
from sdstream.config.looks import looks_of
from sdstream.config.mistakes.prompt_remarks import remarks
from sdstream.controls import Controls
from sdstream.supervisor.control_desk import Desk
from sdstream.supervisor.report import ControlsReport, EngineReport, Report, SourceReport
from tests.cli.command_line import Sdstream

MINI = looks_of("mini")
REPORT = Report(
    seconds=1.0,
    source=SourceReport(1, 0, 0, "live"),
    engine=EngineReport(1, 0, 0, 0, 25.0, 1.0, None),
    sinks=(),
    audio_offset=None,
    drops={},
    latency={},
    controls=ControlsReport(version=1),
)
SHOW = (
    "version: 1\nsource: {kind: testsrc}\nengine: {model: MODEL}\ncontrols: {prompt: PROMPT}\n"
    "sinks: [{kind: discard}]\n"
)


def test_all_looks_are_listed_with_their_words_and_the_sheet(sdstream: Sdstream):
    answer = sdstream("looks")
    assert (answer.status, answer.err) == (0, "")
    lines = answer.out.splitlines()
    assert len(lines) == len(MINI.looks) + 1
    assert any(line.startswith("starry ") and "van gogh" in line for line in lines)
    with Image.open(lines[-1].removeprefix("the sheet of thumbnails: ")) as sheet:
        assert sheet.width > 500


def test_a_prompt_is_answered_with_its_looks_or_the_nearest(sdstream: Sdstream):
    assert sdstream("looks", "my cat by Van Gogh").out.split()[0] == "starry"
    assert sdstream("looks", "van", "gogh").out.split()[0] == "starry"
    told = sdstream("looks", "cyborg", "cat")
    assert told.out.startswith(
        "'cyborg cat': the bundled model mini knows no such look, and paints gouache; nearest: cyb"
    )


def test_json_tells_the_same(sdstream: Sdstream):
    told = json.loads(sdstream("looks", "--json").out)
    assert (told["model"], told["fallback"], len(told["looks"])) == ("mini", "gouache", len(MINI.looks))
    assert json.loads(sdstream("looks", "cyborg cat", "--json").out)["looks"] == []


def test_the_sheet_is_copied_and_nothing_is_overwritten(sdstream: Sdstream, tmp_path: Path):
    assert sdstream("looks", "--sheet", str(tmp_path / "a.png")).status == 0
    with Image.open(tmp_path / "a.png") as sheet:
        assert sheet.format == "PNG"
    assert sdstream("looks", "--sheet", str(tmp_path / "a.png")).status == 69
    assert sdstream("looks", "--sheet", str(tmp_path / "none" / "a.png")).status == 69


@pytest.mark.parametrize("look", MINI.looks, ids=lambda look: look.name)
def test_every_word_of_a_look_names_the_look(look):
    assert [name for name in look.names if look not in MINI.named_in(f"A cat, {name.upper()}!")] == []


@pytest.mark.parametrize(
    ("prompt", "known"),
    [
        ("(starry night:1.3), masterpiece", True),
        ("[neon] lights", True),
        ("pencil-sketch", True),
        ("neonate", False),
        ("a boiled egg", False),
        ("", True),
        ("  ", True),
        ("пейзаж", False),
    ],
)
def test_a_look_is_found_as_a_whole_word(prompt: str, known: bool):
    assert (MINI.remark(prompt) == "") == known


def test_every_prompt_of_a_blend_and_of_the_cues_is_looked_at():
    config = loads(SHOW.replace("MODEL", "mini").replace("PROMPT", "[oil, cat], cues: [{at: 1, prompt: dog}]"), "f")
    assert [remark.text.split(":")[0] for remark in remarks(config.engine, config.controls)] == ["'cat'", "'dog'"]


@pytest.mark.parametrize("model", ["stabilityai/sd-turbo", "./mini", "../mini"])
def test_any_other_model_may_know_any_word(model: str):
    assert looks_of(model) is None


def test_check_tells_of_words_without_a_look_and_takes_them(sdstream: Sdstream, tmp_path: Path):
    file = tmp_path / "show.yaml"
    file.write_text(SHOW.replace("MODEL", "mini").replace("PROMPT", "cyborg cat"))
    assert "note: 'cyborg cat': the bundled model mini knows no such look" in sdstream("check", str(file)).out
    assert len(json.loads(sdstream("check", str(file), "--json").out)["notes"]) == 1
    file.write_text(SHOW.replace("MODEL", "stabilityai/sd-turbo").replace("PROMPT", "cyborg cat"))
    assert "note:" not in sdstream("check", str(file)).out


def test_a_run_tells_of_a_new_prompt_without_a_look_once(capsys: pytest.CaptureFixture[str]):
    config = loads(SHOW.replace("MODEL", "mini").replace("PROMPT", "oil"), "f")
    announcer = Announcer(config, in_log=False)
    for prompt in ("oil", "cat", "cat", "neon"):
        told = remarks(config.engine, Controls(prompt=prompt))
        announcer.each_second(replace(REPORT, controls=ControlsReport(1, remarks=told)))
    assert [line.split(":")[0] for line in capsys.readouterr().err.splitlines()] == ["prompt 'cat'"]


def test_a_saved_prompt_in_other_syntax_is_taken_and_told_in_the_status(tmp_path: Path):
    file = tmp_path / "show.yaml"
    text = SHOW.replace("MODEL", "mini").replace("PROMPT", "oil")
    file.write_text(text)
    watcher = ConfigWatcher(file, ())
    desk = Desk(load(file))
    for saved, told in (("oil <lora:ink:0.8>", ["prompt"]), ("oil", [])):
        file.write_text(text.replace("oil", saved))
        for _ in range(2):
            watcher.poll(desk, lambda _: None)
        assert (desk.controls.prompt, [remark.name for remark in desk.remarks]) == (saved, told)
