"""The changes that bring a preset on air."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from sdstream.control.preset_fade import PresetFade

PRESENT = {
    "prompt": "ink",
    "transition": 0.5,
    "guidance": {"scale": 1.0, "mode": "none"},
    "steadiness": "off",
    "loras": {},
    "controlnets": {},
    "ip_adapters": {},
    "steps": [28],
    "seed": 2,
}


def test_without_seconds_everything_changes_at_once() -> None:
    fade = PresetFade(PRESENT, {"prompt": "oil", "guidance.scale": 3.0}, 10.0, 0.0)
    assert (fade.at(10.0), fade.done) == ({"prompt": "oil", "guidance.scale": 3.0}, True)


def test_a_prompt_is_faded_by_the_engine_and_the_transition_comes_back() -> None:
    fade = PresetFade(PRESENT, {"prompt": "oil"}, 10.0, 4.0)
    assert fade.at(10.0) == {"prompt": "oil", "transition": 4.0}
    assert (fade.at(12.0), fade.done) == ({}, False)
    assert (fade.at(14.0), fade.done) == ({"transition": 0.5}, True)


def test_a_name_without_a_number_in_between_switches_at_once() -> None:
    fade = PresetFade(PRESENT, {"guidance.mode": "full", "steps": [10, 40], "seed": 7}, 0.0, 1.0)
    assert fade.at(0.0) == {"guidance.mode": "full", "steps": [10, 40], "seed": 7, "transition": 1.0}


def test_names_that_the_controls_do_not_list_start_at_their_defaults() -> None:
    preset = {"loras.ink": 1.0, "controlnets.edges": 0.0, "ip_adapters.ref": 0.0, "steadiness": "frozen"}
    fade = PresetFade(PRESENT, preset, 0.0, 2.0)
    assert fade.at(1.0) == {"loras.ink": 0.5, "controlnets.edges": 0.5, "ip_adapters.ref": 0.5, "steadiness": 0.475}
    assert fade.at(2.0) == preset


@given(st.floats(0, 30), st.floats(0, 30), st.floats(0.1, 100), st.lists(st.floats(0, 1), min_size=2, max_size=50))
def test_no_step_is_larger_than_its_share_of_the_time(
    start: float, end: float, seconds: float, shares: list[float]
) -> None:
    fade = PresetFade({"guidance": {"scale": start}}, {"guidance.scale": end}, 0.0, seconds)
    times = sorted(share * seconds for share in shares)
    values = [fade.at(time)["guidance.scale"] for time in times]
    for (before, after), (earlier, later) in zip(pairwise(values), pairwise(times), strict=True):
        assert abs(after - before) <= abs(end - start) * (later - earlier) / seconds + 1e-6


def test_a_name_changed_by_hand_is_left_alone() -> None:
    fade = PresetFade(PRESENT, {"guidance.scale": 3.0, "steadiness": 1.0}, 0.0, 2.0)
    fade.at(0.5)
    fade.give_way({"guidance.scale": 9})
    assert fade.at(2.0) == {"steadiness": 1.0}
