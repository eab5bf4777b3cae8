"""The table of the controls that a hand can turn."""

import math

import pytest

from sdstream.controls import Controls
from sdstream.controls.knobs import all_knobs, knob_of, name_of

OWN = {"loras": ["sketch", "sk etch/1.5", "ü"], "ip_adapters": ["face"]}
KNOBS = {knob.name: knob for knob in all_knobs(OWN)}


def test_every_control_with_a_single_value_is_in_the_table() -> None:
    others = {"cues", "controlnets"}  # a list, and a section without a name of the user's
    sections = {name.partition(".")[0] for name in KNOBS}
    assert sections == Controls.model_fields.keys() - others


@pytest.mark.parametrize("name", KNOBS)
def test_an_address_leads_back_to_the_name(name: str) -> None:
    address = KNOBS[name].address
    assert name_of(address) == name
    assert address.isascii()
    assert not set(address) & set(" #*,?[]{}")
    assert knob_of(name) == KNOBS[name]


@pytest.mark.parametrize("name", KNOBS)
def test_the_controls_take_each_end_of_a_range_and_each_choice(name: str) -> None:
    knob = KNOBS[name]
    values = [knob.value(word) for word in knob.choices]
    if knob.kind in ("number", "integer"):
        values += [knob.value(-math.inf if knob.kind == "number" else -(10**30)), knob.value(10**30)]
        values += [knob.share(0.0), knob.share(1.0)] if knob.usual else []
    if knob.kind == "switch":
        values += [knob.value(0), knob.value(True)]
    section, _, rest = name.partition(".")
    for value in values or [knob.value("ink")]:
        Controls.model_validate({section: {rest: value} if rest else value} | _room(name))


def _room(name: str) -> dict[str, object]:
    return {"loras": {}} if name == "prompt" else {}


def test_a_number_outside_the_range_becomes_the_nearest_number_in_the_range() -> None:
    assert KNOBS["guidance.scale"].value(99) == 30
    assert KNOBS["loras.sketch"].value(-99.5) == -10
    assert KNOBS["seed"].value(-1) == 0
    assert KNOBS["seed"].value(2**62 + 1) == 2**62 + 1
    assert KNOBS["steps"].value(50) < 50


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("guidance.scale", "much"),
        ("guidance.scale", math.nan),
        ("guidance.scale", None),
        ("guidance.scale", True),
        ("prompt", 5),
        ("air", 4),
        ("air", -0.5),
        ("air", math.nan),
        ("air", "off"),
        ("renoise", "yes"),
        ("seed", math.nan),
    ],
)
def test_a_value_of_another_kind_is_refused_with_what_is_taken(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"{name} takes "):
        KNOBS[name].value(value)


def test_words_of_a_number_are_taken() -> None:
    assert KNOBS["steadiness"].value("frozen") == "frozen"
    assert KNOBS["air"].value(1) == "bypass"


def test_the_half_of_a_knobs_way_is_the_middle_of_the_usual_range() -> None:
    assert KNOBS["guidance.scale"].share(0.5) == 2.5
    assert KNOBS["air"].share(1.0) == "black"
    with pytest.raises(ValueError, match="no range for a knob"):
        KNOBS["seed"].share(0.5)


@pytest.mark.parametrize("name", ["", "cues", "loras", "guidance", "promt", "loras.*", "guidance.*", "prompt.x"])
def test_other_names_have_no_knob(name: str) -> None:
    assert knob_of(name) is None
