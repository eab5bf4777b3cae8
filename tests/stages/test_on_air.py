"""The supervisor hears which prompt the newest picture has."""

from dataclasses import replace

from sdstream.controls import Controls, WeightedPrompt
from sdstream.ipc.live_text import LiveText
from sdstream.stages.on_air import CAPACITY, MAX_PROMPT, OnAir, OnAirText, on_air
from tests.harness.restyled_frame import restyled


def test_before_the_first_picture_nothing_is_on_air() -> None:
    assert on_air(LiveText(CAPACITY)) is None


def test_the_prompt_of_the_newest_picture_is_told_in_one_line() -> None:
    cell = LiveText(CAPACITY)
    prompts = (WeightedPrompt(text="oil", weight=0.7), WeightedPrompt(text="ink", weight=0.3))
    OnAirText(cell).show(restyled(prompts, 0.254), now=5.0)
    assert on_air(cell) == OnAir("oil:0.7 + ink:0.3", 0.25, 0)


def test_a_picture_tells_the_version_of_the_controls_that_its_frame_entered_with() -> None:
    cell, old, new = LiveText(CAPACITY), Controls(prompt="oil"), Controls(prompt="ink")
    text = OnAirText(cell)
    text.entered(old, 3)
    text.entered(new, 4)
    text.show(restyled("oil", controls=old), now=0.0)
    assert on_air(cell) == OnAir("oil", None, 3)
    text.show(restyled("ink", controls=new), now=1.0)
    assert on_air(cell) == OnAir("ink", None, 4)


def test_the_time_from_which_the_cues_count_is_told() -> None:
    cell = LiveText(CAPACITY)
    text = OnAirText(cell)
    for since in (7.5, 9.0):
        finished = restyled("oil")
        text.show(replace(finished, due=replace(finished.due, cues_since=since)), now=since)
        assert on_air(cell) == OnAir("oil", None, 0, cues_since=since)


def test_a_fade_is_told_twice_a_second_and_its_end_is() -> None:
    cell = LiveText(CAPACITY)
    text, told = OnAirText(cell), []
    for tick in range(41):
        text.show(restyled("ink", tick / 30 if tick < 30 else None), now=tick / 30)
        told.append(cell.get()[0])
    assert sorted(set(told)) == [2, 3, 4]
    assert on_air(cell) == OnAir("ink", None, 0)


def test_an_unchanged_text_is_not_written_again() -> None:
    cell = LiveText(CAPACITY)
    text = OnAirText(cell)
    for second in range(5):
        text.show(restyled("ink"), now=float(second))
    assert cell.get()[0] == 2


def test_a_prompt_of_any_length_fits() -> None:
    cell = LiveText(CAPACITY)
    OnAirText(cell).show(restyled("\n🎨" * 5000), now=0.0)
    told = on_air(cell)
    assert told is not None
    assert len(told.prompt) == MAX_PROMPT + 1


def test_a_change_there_and_back_is_told_with_the_newest_version() -> None:
    cell, before = LiveText(CAPACITY), Controls(prompt="oil")
    text = OnAirText(cell)
    text.entered(before, 1)
    text.entered(Controls(prompt="oil"), 3)
    text.show(restyled("oil", controls=before), now=0.0)
    assert on_air(cell) == OnAir("oil", None, 3)


def test_a_prompt_of_several_lines_is_told_in_one_line() -> None:
    cell = LiveText(CAPACITY)
    OnAirText(cell).show(restyled("thick\n  oil"), now=0.0)
    assert on_air(cell) == OnAir("thick oil", None, 0)
