"""The newest value of each control, when the value is due, and on which beat."""

from itertools import pairwise

import pytest

from sdstream.control.surfaces.beat import Beat
from sdstream.control.surfaces.hands import Hands
from sdstream.controls import Controls
from sdstream.controls.knobs import Knob, knob_of

CONTROLS = Controls().model_dump(mode="json")


def knob(name: str) -> Knob:
    found = knob_of(name)
    assert found is not None
    return found


def test_the_newest_of_many_values_is_the_only_value() -> None:
    hands = Hands(0)
    for number in range(1000):
        hands.turn(knob("sound.gain"), number / 100, CONTROLS, "osc", 5.0)
    assert hands.due(5.0) == {"osc": {"sound.gain": 9.99}}
    assert hands.due(5.1) == {}


def test_a_number_glides_from_the_present_value_and_arrives() -> None:
    hands = Hands(0)
    hands.turn(knob("guidance.scale"), 3.2, CONTROLS, "osc", 10.0)
    way = [hands.due(10.0 + step / 100).get("osc", {}).get("guidance.scale") for step in range(0, 20, 3)]
    assert way[0] == 1.2
    assert way[5] == 3.2
    assert way[6] is None
    steps = [later - earlier for earlier, later in pairwise(way[:6])]
    assert max(steps) <= 2.0 * 3 / 15 + 1e-9


def test_a_new_value_on_the_way_begins_where_the_number_is() -> None:
    hands = Hands(0)
    hands.turn(knob("guidance.scale"), 4.2, CONTROLS, "osc", 0.0)
    hands.turn(knob("guidance.scale"), 0.0, CONTROLS, "midi", 0.075)
    assert hands.due(0.075)["midi"]["guidance.scale"] == pytest.approx(2.7)
    assert hands.due(1.0)["midi"]["guidance.scale"] == 0.0


def test_a_name_of_the_users_without_a_weight_begins_at_the_weight_of_an_unlisted_name() -> None:
    hands = Hands(0)
    hands.turn(knob("loras.sketch"), 1.0, CONTROLS, "osc", 0.0)
    hands.turn(knob("controlnets.edge"), 0.0, CONTROLS, "osc", 0.0)
    assert hands.due(0.0) == {"osc": {"loras.sketch": 0.0, "controlnets.edge": 1.0}}


def test_steadiness_in_words_glides_to_a_number() -> None:
    hands = Hands(0)
    hands.turn(knob("steadiness"), 0.4, CONTROLS | {"steadiness": "steady"}, "osc", 0.0)
    assert hands.due(0.0) == {"osc": {"steadiness": 0.8}}


def test_a_word_and_a_number_on_the_way_do_not_fight() -> None:
    hands = Hands(0)
    hands.turn(knob("steadiness"), 1.0, CONTROLS, "osc", 0.0)
    hands.turn(knob("steadiness"), "off", CONTROLS, "osc", 0.05)
    assert hands.due(0.05) == {"osc": {"steadiness": "off"}}
    assert hands.due(1.0) == {}


def test_a_prompt_waits_for_the_beat_and_the_panic_switch_does_not() -> None:
    hands = Hands(1)
    for tap in (0.0, 0.5, 1.0):
        hands.beat.tap(tap)
    hands.turn(knob("prompt"), "ink", CONTROLS, "osc", 1.1)
    hands.turn(knob("air"), "black", CONTROLS, "osc", 1.1)
    hands.recall("night", 2.0, "osc", 1.1)
    assert hands.due(1.1) == {"osc": {"air": "black"}}
    assert hands.preset_due(1.4) is None
    assert hands.due(1.5) == {"osc": {"prompt": "ink"}}
    assert hands.preset_due(1.5) == ("night", 2.0)
    assert hands.preset_due(1.6) is None


def test_a_flood_of_names_is_bounded() -> None:
    hands = Hands(4)
    for tap in (0.0, 0.5):
        hands.beat.tap(tap)
    for number in range(5000):
        hands.turn(knob(f"loras.{number}"), 1.0, CONTROLS, "osc", 1.1)
        hands.recall(str(number), 0.0, "osc", 1.1)
    assert len(hands.due(99.0)["osc"]) <= 256


def test_taps_give_the_beat_and_the_first_tap_the_bar() -> None:
    beat = Beat()
    for tap in (10.0, 10.51, 10.99, 11.5):
        beat.tap(tap)
    assert beat.per_minute == pytest.approx(120, rel=0.03)
    assert beat.next(11.6, 1) == pytest.approx(12.0, abs=0.03)
    assert beat.next(11.6, 4) == pytest.approx(12.0, abs=0.03)
    assert beat.next(12.1, 4) == pytest.approx(14.0, abs=0.06)


def test_a_clock_of_midi_gives_the_beat_and_is_forgotten_when_it_stops() -> None:
    beat, step = Beat(), 60 / 128 / 24
    beat.start()
    for pulse in range(97):
        beat.pulse(100.0 + pulse * step)
    now = 100.0 + 96 * step
    assert beat.per_minute == pytest.approx(128)
    assert beat.next(now + 0.01, 1) == pytest.approx(now + 60 / 128)
    assert beat.next(now - 0.01, 4) == pytest.approx(now)
    assert beat.next(now + 30.0, 4) == now + 30.0
    beat.stop()
    assert beat.next(now, 1) == now


def test_without_a_beat_nothing_waits() -> None:
    beat = Beat()
    assert beat.next(3.25, 4) == 3.25
    beat.tap(3.0)
    assert beat.next(3.25, 4) == 3.25
