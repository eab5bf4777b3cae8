"""The weight syntax: linear time, any depth, any text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdstream.engine.conditioning.prompt_weights import WEIGHT_LIMIT, parse_weights


@pytest.mark.parametrize(
    ("prompt", "parts"),
    [
        ("", []),
        ("oil painting", [("oil painting", 1.0)]),
        ("a (red:1.3) door", [("a ", 1.0), ("red", 1.3), (" door", 1.0)]),
        ("(red)", [("red", 1.1)]),
        ("((red))", [("red", pytest.approx(1.21))]),
        ("[red]", [("red", pytest.approx(1 / 1.1))]),
        ("(a (b:2):0.5)", [("a ", 0.5), ("b", 1.0)]),
        ("(red:-1)", [("red", -1.0)]),
        ("(red:1e9)", [("red", WEIGHT_LIMIT)]),
        ("(red:nan)", [("red:nan", 1.1)]),
        ("(red:inf)", [("red:inf", 1.1)]),
        ("(12:30)", [("12", 4.0)]),
        (r"\(red\) \\", [("(red) \\", 1.0)]),
        ("(red", [("(red", 1.0)]),
        ("red)", [("red)", 1.0)]),
        ("()", []),
        ("(a])", [("a]", 1.1)]),
        ("ערב (טוב:1.2)", [("ערב ", 1.0), ("טוב", 1.2)]),
    ],
)
def test_weights_are_read(prompt, parts):
    assert parse_weights(prompt) == parts


@given(st.text(alphabet="ab()[]:\\.13-e ", max_size=60) | st.text(max_size=40))
def test_any_text_gives_finite_bounded_weights_and_loses_no_letter(prompt):
    parts = parse_weights(prompt)
    assert all(abs(weight) <= WEIGHT_LIMIT for _, weight in parts)
    letters = [letter for letter in prompt if letter in "ab"]
    assert [letter for text, _ in parts for letter in text if letter in "ab"] == letters


@pytest.mark.parametrize("prompt", ["(" * 10_000 + "x" + ")" * 10_000, "(x" * 10_000 + ":9)" * 10_000, "([" * 50_000])
def test_deep_nesting_takes_no_recursion_and_no_overflow(prompt):
    assert "x" not in prompt or max(abs(weight) for _, weight in parse_weights(prompt)) == WEIGHT_LIMIT


def test_two_megabytes_are_split_without_a_quadratic_wait():
    assert parse_weights("(" * 1_000_000 + "x" * 1_000_000) == [("(" * 1_000_000 + "x" * 1_000_000, 1.0)]
