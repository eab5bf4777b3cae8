"""Every setting is saved into the file of a running daemon: controls and source change on air."""

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from sdstream.cli.config_follower import following
from sdstream.cli.config_watcher import ConfigWatcher
from sdstream.config.on_air.patch import names
from sdstream.controls import Controls
from tests.harness.pipeline_run import PipelineRun, share_since
from tests.harness.wait import until

pytestmark = [pytest.mark.fault, pytest.mark.slow]

CANVAS = {"width": 320, "height": 180, "fps": 30}
SHOW = {
    "version": 1,
    "canvas": CANVAS,
    "source": {"kind": "testsrc"},
    "engine": {"kind": "passthrough"},
    "sinks": [{"kind": "discard"}],
    "controls": {"air": "live"},
}
OTHERS = {
    "air": "bypass", "prompt": "ink", "negative_prompt": "fog", "blend": "slerp", "transition": 1.5,
    "cues": [{"at": 3, "prompt": "oil"}], "cues_loop": 9, "seed": 7, "seed_blend": "linear", "steps": [20, 30],
    "renoise": False, "guidance.mode": "full", "guidance.scale": 2.0, "guidance.delta": 0.1, "guidance.distilled": 3,
    "similarity.mode": "off", "similarity.threshold": 0.5, "similarity.max_skips": 3, "cross_frame_attention": True,
    "loras": {"a": 0.5}, "controlnets": {"c": 0.5}, "ip_adapters": {"i": 0.5},
    "region.mode": "mask", "region.edge": "seamless",
    "region.feather": 0.1, "steadiness": "light", "sound.gain": 3, "sound.mute": True, "sound.mono": True,
    "sound.offset": 0.5, "sound.track": 1,
}  # fmt: skip
"""Another value than the default for each control."""
WAITING = {"canvas": {**CANVAS, "fit": "contain"}, "air": {"hold": 1}}
"""Another value for each section that waits for the next start."""


def save(file: Path, show: dict[str, object]) -> None:
    new = file.with_suffix(".new")
    with new.open("w") as out:
        YAML(typ="safe", pure=True).dump(show, out)
    new.rename(file)


def controls_with(name: str, value: object) -> dict[str, object]:
    section, _, inner = name.partition(".")
    return {**SHOW, "controls": {"air": "live", section: {inner: value} if inner else value}}


def test_every_control_and_the_source_change_on_air_and_the_canvas_waits(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "show.yaml"
    save(file, SHOW)
    watcher = ConfigWatcher(file)
    with PipelineRun(SHOW["source"]) as show, following(watcher, show.pipeline.desk, show.pipeline.change):
        before, desk = show.showing("live").sinks[0], show.pipeline.desk
        for name, value in OTHERS.items():
            version = desk.version
            save(file, controls_with(name, value))
            until(lambda version=version: desk.version > version, 10, f"{name} changes")
        assert desk.refused == ()
        for section, value in WAITING.items():
            capsys.readouterr()
            save(file, {**SHOW, section: value})
            until(lambda: "wait for the next start" in "".join(capsys.readouterr()), 10, f"{section} waits")
        source = show.pipeline.pids()["source"]
        save(file, {**SHOW, "source": {"kind": "testsrc", "fps": 10}})
        until(lambda: show.pipeline.pids().get("source", source) != source, 20, "another source")
        show.showing("live")
        after = show.sink()
        assert share_since(before, after) >= 0.99
        assert (show.report.engine.restarts, after.restarts) == (0, 0)


def test_the_list_names_every_control() -> None:
    every = names(Controls().model_dump(mode="json"))
    known = {*OTHERS, *(name for name in every if name.partition(".")[0] in OTHERS)}
    assert every.keys() - known == set()
