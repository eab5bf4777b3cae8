"""The desk: changes by name from several clients, and the answers."""

import threading
from typing import Any

import pytest

from sdstream.config.engine import DiffusionSettings
from sdstream.config.mistakes.prompt_remarks import Remark
from sdstream.config.schema import Config
from sdstream.config.sources import TestsrcSourceSettings
from sdstream.supervisor.control_desk import MAX_REFUSALS, Desk, Refusal

ENGINE = {
    "loras": {"sketch": {"path": "s.safetensors"}, "v1.5": {"path": "v"}, "lcm": {"path": "l", "fuse": True}},
    "controlnets": {"edges": {"model": "e", "condition": "canny"}},
}


def desk(controls: dict[str, Any] | None = None, **engine: Any) -> Desk:
    parts = {"version": 1, "source": {"kind": "testsrc"}, "sinks": [{"kind": "discard"}]}
    return Desk(Config.model_validate({**parts, "engine": ENGINE | engine, "controls": controls or {}}))


def reasons(made: Desk, changes: dict[str, Any]) -> dict[str, str]:
    return {refusal.name: refusal.reason for refusal in made.patch(changes, "test").refused}


def test_a_change_counts_up_the_version_that_readers_see() -> None:
    made = desk()
    verdict = made.patch({"prompt": "ink", "guidance.scale": 2.5, "loras.sketch": 0.5}, "test")
    assert (verdict.version, made.version, verdict.refused) == (2, 2, ())
    assert made.live.get() == made.controls
    assert (made.live.version, made.controls.prompt, made.controls.guidance.scale) == (2, "ink", 2.5)
    assert made.controls.loras == {"sketch": 0.5}


@pytest.mark.parametrize("levels", [20, 600, 900])
@pytest.mark.parametrize("name", ["prompt", "bogus", "loras", "guidance"])
@pytest.mark.parametrize("kind", [list, dict])
def test_a_value_nested_without_end_is_refused_and_the_rest_changes(levels: int, name: str, kind: type) -> None:
    value: Any = 1
    for _ in range(levels):
        value = [value] if kind is list else {"a": value}
    made = desk()
    refused = reasons(made, {name: value, "transition": 2})
    assert list(refused) == [name]
    assert made.controls.transition == 2


def test_a_change_to_what_is_there_already_is_no_change() -> None:
    made = desk({"prompt": "ink"})
    assert made.patch({"prompt": "ink"}, "test").version == 1


def test_hands_change_only_what_they_name() -> None:
    made = desk()
    made.patch({"guidance": {"scale": 3}}, "chat")
    made.patch({"guidance.delta": 0.1, "prompt": "ink"}, "file")
    assert (made.controls.guidance.scale, made.controls.guidance.delta) == (3, 0.1)


@pytest.mark.parametrize(
    ("start", "change", "after"),
    [
        ({"prompt": "ink"}, {"prompt": None}, {}),
        ({"guidance": {"scale": 3, "delta": 1}}, {"guidance.scale": None}, {"guidance": {"delta": 1}}),
        ({"guidance": {"scale": 3}}, {"guidance": None}, {}),
        ({"loras": {"sketch": 1, "v1.5": 1}}, {"loras.v1.5": None}, {"loras": {"sketch": 1}}),
        ({}, {"loras.sketch": None}, {}),
        ({"cues": [{"at": 1, "prompt": "a", "transition": 2}]}, {"cues.0.transition": None, "guidance": {}},
         {"cues": [{"at": 1, "prompt": "a"}]}),
    ],
)  # fmt: skip
def test_none_puts_a_name_back_to_its_default(start: Any, change: Any, after: Any) -> None:
    made = desk(start)
    assert made.patch(change, "test").refused == ()
    assert made.controls == desk(after).controls


def test_a_number_names_a_part_of_a_list() -> None:
    made = desk({"prompt": [{"text": "oil"}, {"text": "ink"}]})
    made.patch({"prompt.1.weight": 0.25}, "midi")
    assert [part.weight for part in made.controls.prompt] == [1.0, 0.25]


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("promt", "ink", 'unknown key; did you mean "prompt"?'),
        ("scale", 2, "unknown key; this key belongs under guidance"),
        ("promt", None, 'unknown key; did you mean "prompt"?'),
        ("guidance.scael", 2, 'did you mean "scale"?'),
        ("guidance", [3], "should be a mapping"),
        ("guidance.scale", "hard", "should be a number, not 'hard'"),
        ("steps", [45, 32], "must increase"),
        ("prompt.0.weight", 1, "prompt is not a mapping, and cannot hold 0"),
        ("loras.sketsch", 1, 'engine.loras has: sketch, v1.5; did you mean "sketch"?'),
        ("loras.lcm", 1, "fused at load"),
        ("loras.sketch", 11, "less than or equal to 10"),
        ("controlnets.depth", 1, "engine.controlnets has: edges"),
        ("region.mode", "mask", "needs engine.mask"),
        ("region.mode", "person", "needs engine.segmentation_model"),
        ("cues_loop", float("nan"), "finite"),
    ],
)
def test_a_bad_name_is_refused_with_its_reason_and_the_other_names_change(name: str, value: Any, reason: str) -> None:
    made = desk()
    verdict = made.patch({"seed": 7, name: value, "renoise": False}, "http")
    assert (made.controls.seed, made.controls.renoise, made.version) == (7, False, 2)
    assert [(refusal.name, refusal.by) for refusal in verdict.refused] == [(name, "http")]
    assert reason in verdict.refused[0].reason
    assert made.refused == verdict.refused


def test_several_bad_names_each_have_their_own_reason() -> None:
    found = reasons(desk(), {"promt": "x", "loras": {"sketch": 1, "bogus": 1}, "steps": "many"})
    assert found.keys() == {"promt", "loras.bogus", "steps"}


@pytest.mark.parametrize(("mask", "refused"), [(None, {"region.mode"}), ("white.png", set())])
def test_a_control_that_the_settings_make_possible_is_accepted(mask: str | None, refused: set[str]) -> None:
    assert reasons(desk(mask=mask), {"region.mode": "mask"}).keys() == refused


def test_an_engine_without_a_model_refuses_no_name_of_one() -> None:
    parts = {"version": 1, "source": {"kind": "testsrc"}, "sinks": [{"kind": "discard"}]}
    made = Desk(Config.model_validate({**parts, "engine": {"kind": "passthrough"}}))
    assert reasons(made, {"loras.any": 1}) == {}


CUES = [{"at": 30, "prompt": "ink"}]


def test_names_that_are_valid_only_together_change_together() -> None:
    made = desk({"cues": [{"at": 1, "prompt": "oil"}], "cues_loop": 10})
    assert reasons(made, {"cues": CUES, "cues_loop": 40}) == {}


def test_of_names_that_contradict_each_other_the_last_is_refused() -> None:
    made = desk()
    assert reasons(made, {"cues": CUES, "prompt": "ink", "cues_loop": 20}).keys() == {"cues_loop"}
    assert (made.controls.cues[0].at, made.controls.prompt) == (30, "ink")


def test_a_name_that_contradicts_what_another_hand_set_is_refused_alone() -> None:
    made = desk()
    made.patch({"cues": CUES}, "file")
    verdict = made.patch({"cues_loop": 20, "seed": 3}, "chat")
    assert [refusal.name for refusal in verdict.refused] == ["cues_loop"]
    assert "must come after the last cue" in verdict.refused[0].reason
    assert made.controls.seed == 3


def test_controls_that_are_too_large_for_the_stages_are_refused() -> None:
    made = desk()
    long = [{"text": "é" * 10_000}] * 16
    cues = [{"at": at, "prompt": long} for at in range(10)]
    assert "may take" in reasons(made, {"seed": 3, "cues": cues})["cues"]
    assert made.controls.seed == 3


def test_a_refusal_stands_until_its_name_is_taken_over() -> None:
    made = desk()
    made.patch({"guidance.scale": "hard", "loras.bogus": 1}, "file")
    made.patch({"prompt": "ink"}, "chat")
    assert {refusal.name for refusal in made.refused} == {"guidance.scale", "loras.bogus"}
    made.patch({"guidance": {"scale": 2}}, "chat")
    assert [refusal.name for refusal in made.refused] == ["loras.bogus"]


@pytest.mark.parametrize("name", ["promt", "loras.bogus", "guidance.scael"])
def test_a_refused_name_may_be_withdrawn(name: str) -> None:
    made = desk()
    made.patch({name: 1}, "file")
    assert made.patch({name: None}, "file").refused == ()
    assert made.refused == ()


def test_only_so_many_refusals_are_kept_the_latest_of_each_name() -> None:
    made = desk()
    made.patch({f"nonsense{number}": 1 for number in range(MAX_REFUSALS + 5)}, "chat")
    made.refuse([Refusal("nonsense9", "again", "file")])
    assert len(made.refused) == MAX_REFUSALS
    assert made.refused[-1] == Refusal("nonsense9", "again", "file")


def test_threads_lose_no_change_of_each_other() -> None:
    made = desk()

    def turn(name: str) -> None:
        for number in range(30):
            made.patch({name: number / 10}, name)

    hands = [threading.Thread(target=turn, args=(name,)) for name in ("guidance.scale", "guidance.delta", "transition")]
    for hand in hands:
        hand.start()
    for hand in hands:
        hand.join()
    controls = made.controls
    assert (controls.guidance.scale, controls.guidance.delta, controls.transition) == (2.9, 2.9, 2.9)
    assert made.live.get() == controls
    assert made.live.version == made.version


def test_a_mended_name_is_no_longer_refused_unless_another_hand_was_refused() -> None:
    made = desk()
    made.refuse([Refusal("air", "given twice", "file"), Refusal("seed", "no number", "chat")])
    made.withdraw(["air", "seed", "prompt"], "file")
    assert [refusal.name for refusal in made.refused] == ["seed"]


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ({"kind": "rtmp", "listen": "127.0.0.1:0", "key": "abcdefgh"}, "choose with source.audio_track"),
        ({"kind": "ndi", "name": "cam"}, "a single audio track"),
        ({"kind": "rtmp", "url": "rtmp://there/live/key"}, ""),
        ({"kind": "ffmpeg", "url": "a.mkv"}, ""),
    ],
)
def test_an_audio_track_is_refused_where_the_source_has_a_single_one(source: dict[str, str], reason: str) -> None:
    parts = {"version": 1, "source": {"kind": "testsrc"}, "sinks": [{"kind": "discard"}]}
    made = Desk(Config.model_validate({**parts, "engine": {"kind": "passthrough"}}))
    config = Config.model_validate({**parts, "source": source})
    made.follow(config.engine, config.source)
    assert reasons(made, {"sound.track": 0}) == {}
    assert reason in reasons(made, {"sound.track": 1}).get("sound.track", "")
    assert made.controls.sound.track == (0 if reason else 1)


def texts(remarks: tuple[Remark, ...]) -> list[tuple[str, str]]:
    return [(remark.name, remark.text.split(" is ")[0]) for remark in remarks]


def test_a_prompt_in_the_syntax_of_another_program_is_taken_and_told() -> None:
    made = desk(model="someone/model")
    verdict = made.patch({"prompt": "a cat <lora:ink:0.8>"}, "http")
    assert (verdict.refused, texts(verdict.remarks)) == ((), [("prompt", "'<lora:ink:0.8>'")])
    assert made.controls.prompt == "a cat <lora:ink:0.8>"
    assert made.remarks == verdict.remarks
    assert made.patch({"prompt": "a cat"}, "http").remarks == made.remarks == ()


def test_a_patch_is_answered_with_the_remarks_on_its_own_names() -> None:
    made = desk({"negative_prompt": "embedding:bad"}, model="someone/model")
    assert texts(made.remarks) == [("negative_prompt", "'embedding:bad'")]
    assert made.patch({"guidance.scale": 2}, "http").remarks == ()
    assert texts(made.patch({"cues": [{"at": 1, "prompt": "a AND b"}]}, "file").remarks) == [("cues", "'AND'")]
    assert texts(made.patch({"cues.0.prompt": "[a:b:3]"}, "http").remarks) == [("cues", "'[a:b:3]'")]
    assert [name for name, _ in texts(made.remarks)] == ["cues", "negative_prompt"]


def test_a_patch_without_change_is_answered_with_the_remark_too() -> None:
    made = desk({"prompt": "a AND b"}, model="someone/model")
    assert texts(made.patch({"prompt": "a AND b"}, "http").remarks) == [("prompt", "'AND'")]


def test_another_model_is_asked_anew_for_its_looks() -> None:
    made = desk({"prompt": "cyborg cat"}, model="someone/model")
    assert made.remarks == ()
    made.follow(DiffusionSettings(model="mini"), TestsrcSourceSettings(kind="testsrc"))
    assert [remark.text.split(":")[0] for remark in made.remarks] == ["'cyborg cat'"]
