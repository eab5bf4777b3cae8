"""Obvious short forms are taken, mean the same as the long form, and are in the schema for editors."""

import json
from functools import reduce
from operator import getitem
from typing import Any

import pytest

from sdstream.config.load import loads
from sdstream.config.on_air.patch import names, patched
from sdstream.config.printing.document import effective_yaml, schema
from sdstream.controls import Controls
from tests.config.configuration_text import GOOD, mistakes

MODEL = GOOD.replace("{kind: passthrough}", "{segmentation_model: people}")
LORA = GOOD.replace("{kind: passthrough}", "{loras: {LORA}}")


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("canvas: 1280x720", "canvas: {width: 1280, height: 720}"),
        ("canvas: 640 x 360 @ 59.94", "canvas: {width: 640, height: 360, fps: 59.94}"),
        ("canvas: 640x360@25", "canvas: {width: 640, height: 360, fps: 25}"),
        ("canvas: {fps: 25/1}", "canvas: {fps: 25}"),
        ("controls: {steps: 28}", "controls: {steps: [28]}"),
        ("controls: {prompt: {anime: 1, oil: 2}}", "controls: {prompt: [{text: anime}, {text: oil, weight: 2}]}"),
        ("controls: {prompt: [anime, oil]}", "controls: {prompt: [{text: anime}, {text: oil}]}"),
        ("controls: {prompt: {text: anime}}", "controls: {prompt: [{text: anime}]}"),
        ("controls: {seed: [1, 2]}", "controls: {seed: [{seed: 1}, {seed: 2}]}"),
        ("controls: {guidance: full}", "controls: {guidance: {mode: full}}"),
        ("controls: {guidance: 2}", "controls: {guidance: {scale: 2}}"),
        ("controls: {similarity: off}", "controls: {similarity: {mode: off}}"),
        ("controls: {region: person}", "controls: {region: {mode: person}}"),
        ('controls: {cues: [{at: "1:30", prompt: a}]}', "controls: {cues: [{at: 90, prompt: a}]}"),
        ("controls: {cues: [{at: 1:00:02.5, prompt: a}]}", "controls: {cues: [{at: 3602.5, prompt: a}]}"),
        ("controls: {cues: [{at: 0, prompt: {a: 1}}]}", "controls: {cues: [{at: 0, prompt: [{text: a}]}]}"),
    ],
)
def test_a_short_form_means_the_long_form(short: str, long: str):
    assert loads(f"{MODEL}{short}\n", "f", (), {}) == loads(f"{MODEL}{long}\n", "f", (), {})


def test_a_lora_may_be_a_file_name_alone():
    config = loads(LORA.replace("{LORA}", "{sketch: sketch.safetensors}"), "f", (), {})
    assert config == loads(LORA.replace("{LORA}", "{sketch: {path: sketch.safetensors}}"), "f", (), {})


def test_an_ntsc_rate_may_be_a_ratio():
    config = loads(GOOD + "canvas: {fps: 30000/1001}\n", "f", (), {})
    assert config.canvas.rate == loads(GOOD + "canvas: {fps: 29.97}\n", "f", (), {}).canvas.rate


@pytest.mark.parametrize("written", ["4500k", "4500 kbps", "4.5 Mbit/s", "4500Kbit", "4.5M", "4500000"])
def test_a_bit_rate_may_have_the_units_of_other_programs(written: str):
    text = GOOD.replace("{kind: discard}", f"{{kind: ffmpeg, url: a.mkv, bitrate: {written}}}")
    assert loads(text, "f", (), {}).sinks[0].bitrate == 4_500_000


@pytest.mark.parametrize(("key", "number"), [("bitrate", 4500), ("audio_bitrate", 160)])
def test_a_bit_rate_in_kilobits_without_the_unit_is_refused_with_the_line_to_write(key: str, number: int):
    text = GOOD.replace("{kind: discard}", f"{{kind: ffmpeg, url: a.mkv, {key}: {number}}}")
    assert f"sinks.0.{key}: {number} would be bits a second; for {number} kbit/s write {number}k" in mistakes(text)[0]


@pytest.mark.parametrize(
    ("short", "said"),
    [
        ("canvas: 1281x720", "f:6:9: canvas.width: should be a multiple of 2, not 1281"),
        ("canvas: 720p", "f:6:9: canvas: should be a mapping (`key: value` lines), not '720p'"),
        ("canvas: {fps: 1/0}", "f:6:15: canvas.fps: should be a number, not '1/0'"),
        ("controls: {guidance: ful}", "f:6:22: controls.guidance.mode: should be none, full"),
        ("controls: {steps: 60}", "f:6:19: controls.steps: should be less than 50, not 60"),
    ],
)
def test_a_wrong_short_form_is_told_with_its_place(short: str, said: str):
    assert mistakes(f"{GOOD}{short}\n")[0].startswith(said)


@pytest.mark.parametrize(
    ("short", "override", "path", "value"),
    [
        ("canvas: 1280x720", "canvas.fps=60", ("canvas", "width"), 1280),
        ("canvas: 1280x720", "canvas.fps=60", ("canvas", "fps"), 60),
        ("controls: {guidance: full}", "controls.guidance.scale=3", ("controls", "guidance", "mode"), "full"),
        ("version: 1", "canvas=640x360", ("canvas", "height"), 360),
    ],
)
def test_an_override_changes_a_part_of_a_short_form(short: str, override: str, path: tuple[str, ...], value: object):
    text = f"{GOOD.removeprefix('version: 1')}version: 1\n" if short == "version: 1" else f"{GOOD}{short}\n"
    assert reduce(getitem, path, loads(text, "f", [override], {}).model_dump()) == value


def test_a_short_form_on_air_changes_the_named_part_only():
    before = Controls.model_validate({"guidance": {"scale": 3}})
    changed, refused = patched(before, {"guidance": "full"}, lambda controls: ())
    assert (changed.guidance.mode, changed.guidance.scale, refused) == ("full", 3, {})


def test_prompts_with_weights_stay_a_single_control():
    assert names({"prompt": {"anime": 1, "oil": 2}}).keys() == {"prompt"}


@pytest.mark.parametrize(
    ("section", "key", "kinds"),
    [
        ("Config", "canvas", {"string"}),
        ("Canvas", "fps", {"number", "string"}),
        ("Controls", "steps", {"number", "array"}),
        ("Controls", "prompt", {"string", "array", "object"}),
        ("Controls", "guidance", {"string", "number"}),
        ("Controls", "region", {"string"}),
        ("Cue", "at", {"number", "string"}),
    ],
)
def test_an_editor_takes_the_short_forms(section: str, key: str, kinds: set[str]):
    whole: dict[str, Any] = schema()
    part = whole if section == "Config" else whole["$defs"][section]
    assert {branch["type"] for branch in part["properties"][key]["anyOf"] if "type" in branch} == kinds


def test_short_forms_are_written_in_full_in_the_effective_configuration():
    text = effective_yaml(loads(GOOD + "canvas: 640x360\ncontrols: {guidance: full}\n", "f", (), {}))
    assert "width: 640" in text
    assert "mode: full" in text
    assert json.dumps(schema())
