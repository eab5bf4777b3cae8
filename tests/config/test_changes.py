"""What a changed configuration does to a running show."""

from typing import Any

import pytest

from sdstream.config.on_air.changes import Effect, effects, on_air, waits
from sdstream.config.schema import Config

BASE: dict[str, Any] = {
    "version": 1,
    "canvas": {"width": 320, "height": 180},
    "source": {"kind": "testsrc"},
    "engine": {"model": "mini"},
    "sinks": [{"kind": "discard"}, {"kind": "ndi", "name": "a"}],
}


def config(**changes: Any) -> Config:
    return Config.model_validate({**BASE, **changes})


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, []),
        ({"controls": {"guidance": {"scale": 3}}}, [("controls.guidance.scale", Effect.LIVE)]),
        ({"engine": {"model": "mini", "width": 384}}, [("engine.width", Effect.ENGINE)]),
        ({"engine": {"kind": "passthrough"}}, [("engine", Effect.ENGINE)]),
        ({"source": {"kind": "testsrc", "audio": False}}, [("source.audio", Effect.SOURCE)]),
        ({"source": {"kind": "ndi", "name": "a"}}, [("source", Effect.SOURCE)]),
        ({"canvas": {"width": 640, "height": 180}}, [("canvas.width", Effect.NEXT_START)]),
        ({"air": {"hold": 2}}, [("air.hold", Effect.NEXT_START)]),
        ({"control": {}}, [("control", Effect.NEXT_START)]),
        ({"sinks": BASE["sinks"][::-1]}, []),
        ({"sinks": BASE["sinks"][:1]}, [("sinks.1 of before (ndi)", Effect.REMOVED)]),
        (
            {"sinks": [{"kind": "discard"}, {"kind": "ndi", "name": "b"}]},
            [("sinks.1 (ndi)", Effect.ADDED), ("sinks.1 of before (ndi)", Effect.REMOVED)],
        ),
    ],
)
def test_each_changed_setting_has_an_effect(changes: dict[str, Any], found: list[tuple[str, Effect]]) -> None:
    assert effects(config(), config(**changes)) == found


def test_what_waits_for_the_next_start_stays_as_it_is() -> None:
    old, new = config(), config(canvas={"width": 640, "height": 360}, engine={"kind": "passthrough"})
    assert waits(old, new) == ["canvas.height", "canvas.width"]
    merged = on_air(old, new)
    assert (merged.canvas, merged.engine) == (old.canvas, new.engine)
