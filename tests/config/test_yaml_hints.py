"""Text that is not YAML is answered with what to try, and never with a hint that misleads."""

import pytest

from tests.config.configuration_text import mistakes


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("controls:\n    seed: 1\n   blend: linear\n", "start the line in column 5, as its neighbours do"),
        ("controls:\n  prompt: |\n    a\n     b\n   seed: 1\n", "start the line in column 3, as its neighbours do"),
        ("sinks:\n   - {kind: ndi}\n  - {kind: preview}\n", "start the line in column 4, as its neighbours do"),
        ("sinks:\n  - kind: ndi\n   name: a\n", "start the line in column 5, as its neighbours do"),
        (
            "controls: {seed: 1}}\n",
            "f:1:20: not YAML: expected <block end>, but found '}', while parsing a block mappi",
        ),
        ("canvas: {fps: 25}}\n", "; remove a closing bracket, or open the bracket"),
        ("controls\n  seed: 1\n", "; write a colon behind the key in the line above"),
        ("version: 1\ncontrols\n  seed: 1\n", "; write a colon behind a key"),
        ('controls:\n  prompt: "oil\n  seed: 1\n', "f:2:11: not YAML: found unexpected end of stream"),
        ('controls:\n  prompt: "oil\n  seed: 1\n', "; close the quote"),
    ],
)
def test_text_that_is_not_yaml_is_told_with_what_to_try(text: str, said: str):
    assert said in mistakes(text)[0]


@pytest.mark.parametrize(
    "text", ["sinks:\n  - kind: ndi\n    name: a: b\n", "controls:\n  prompt: oil: thick\n", "a: {b: 1\n  c: d}\n"]
)
def test_a_line_that_is_indented_well_is_not_told_to_move(text: str):
    assert "start the line" not in mistakes(text)[0]
