"""YAML is read by the rules of version 1.2, and its hazards are refused quickly."""

import json
import math
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from sdstream.config.load import loads
from sdstream.config.yaml_tree import MAX_DEPTH, YamlError, parse
from sdstream.errors import ConfigError


def value_of(text: str) -> object:
    node, mistakes = parse(text, "f")
    assert node is not None
    assert not mistakes
    return node.plain()


def told(text: str, *overrides: str) -> str | None:
    """Return what loading `text` complains of; any other exception than a ConfigError fails the test."""
    try:
        loads(text, "f", overrides, {})
    except ConfigError as error:
        return str(error)
    return None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("1:30", "1:30"),
        ("2026-11-23", "2026-11-23"),
        ("1_000", "1_000"),
        ("012", 12),
        ("0o17", 15),
        ("0x1F", 31),
        ("-3", -3),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("-.inf", -math.inf),
        ("true", True),
        ("~", None),
        ("'1'", "1"),
        ("|\n  a\n  b\n", "a\nb\n"),
        ("<<: 1", {"<<": 1}),
        ("1: a", {"1": "a"}),
        ("9" * 500, "9" * 500),
    ],
)
def test_plain_scalars_follow_the_core_schema(text: str, value: object):
    assert value_of(text) == value


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: &x 1", "f:1:4: a: anchors and aliases"),
        ("a: *x", "f:1:4: a: anchors and aliases"),
        ("&x a: 1", "anchors and aliases"),
        ("a: !!python/object/apply:os.system [x]", "tags are not read here"),
        ("a: !secret x", "tags are not read here"),
        ("? [1]\n: 2", "a key must be plain text"),
        ("a: 1\n---\nb: 2\n", "f:2:1: a second document starts here"),
        ('a: "${X}', "not YAML"),
        ("a: {b: ${X}}", 'write "${NAME}" in quotes'),
        ("a: b: c", "write a value with"),
    ],
)
def test_a_refused_node_is_named_with_its_place(text: str, said: str):
    with pytest.raises(YamlError) as caught:
        parse(text, "f")
    assert said in str(caught.value.mistake)


@pytest.mark.parametrize("text", ["[" * 100_000, "{a: " * 60_000, "- " * 100_000])
def test_deep_nesting_is_refused_before_it_costs_anything(text: str):
    with pytest.raises(YamlError, match=f"deeper than {MAX_DEPTH} levels"):
        parse(text, "f")


def test_a_value_knows_where_it_and_its_key_stand():
    node, _ = parse("a:\n  - b: 1\n", "f")
    inner = node.child("a").child(0).child("b")
    assert (str(inner.key), str(inner.where)) == ("f:2:5", "f:2:8")


@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda data: data.decode("latin-1")))
def test_any_text_is_either_settings_or_a_config_error(text: str):
    assert told(text) is None or told(text).startswith("f")


_SCALARS = st.none() | st.booleans() | st.integers(-(2**62), 2**62) | st.text(max_size=20)
_VALUES = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
)


@given(_VALUES)
def test_yaml_of_another_writer_is_read_as_it_was_written(value: object):
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.allow_unicode = False
    yaml.width = (
        10**6
    )  # where it folds an escaped text, this writer may lose the fold's backslash, and reads a space back
    yaml.representer.ignore_aliases = lambda data: True
    out = StringIO()
    yaml.dump({"value": value}, out)
    assert value_of(out.getvalue()) == {"value": value}


_PATHS = st.sampled_from(["version", "source", "sinks", "canvas", "engine", "controls", "air", "controls.guidance"])


@given(_PATHS, _VALUES)
def test_any_value_anywhere_is_either_taken_or_a_config_error(path: str, value: object):
    good = "version: 1\nsource: {kind: testsrc}\nsinks: [{kind: discard}]\n"
    message = told(good, f"{path}={json.dumps(value)}")
    assert message is None or "--set" in message


@pytest.mark.parametrize("text", ["a: {b: 1\n", "a: [1,\n", 'a: "b\n', "a: {\n\n"])
def test_a_bracket_or_quote_that_stays_open_is_a_mistake_and_not_a_bug(text: str):
    with pytest.raises(YamlError, match="not YAML"):
        parse(text, "show.yaml")
