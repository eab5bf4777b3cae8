"""`--set` overrides any key; secrets, and nothing else, may come from the environment."""

from functools import reduce
from operator import getitem

import pytest

from sdstream.config.load import loads
from sdstream.config.printing.document import effective_yaml
from tests.config.configuration_text import GOOD, mistakes

KEYED = """\
version: 1
source: {kind: rtmp, listen: "127.0.0.1:1935", key: "${KEY_IN}"}
sinks:
  - {kind: ffmpeg, url: "rtmp://host/app/${KEY_OUT}"}
"""


@pytest.mark.parametrize(
    ("override", "path", "value"),
    [
        ("canvas.fps=60", ("canvas", "fps"), 60.0),
        ("canvas={width: 640, height: 360}", ("canvas", "width"), 640),
        ("controls.prompt='a: b'", ("controls", "prompt"), "a: b"),
        ("controls.prompt=no", ("controls", "prompt"), "no"),
        ("controls.steps=[1, 2]", ("controls", "steps"), (1, 2)),
        ("controls.guidance.scale=2", ("controls", "guidance", "scale"), 2.0),
        ("sinks=[{kind: ndi, name: x}]", ("sinks", 0, "name"), "x"),
        ("sinks.0={kind: ndi}", ("sinks", 0, "name"), "sdstream"),
    ],
)
def test_an_override_sets_one_value(override: str, path: tuple[str | int, ...], value: object):
    assert reduce(getitem, path, loads(GOOD, "f", [override], {}).model_dump()) == value


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("canvas.fps", "--set canvas.fps: should read key=value"),
        ("=1", "should read key=value"),
        ("a..b=1", "--set a..b: should read key=value"),
        ("canvas.fps=9000", "--set canvas.fps: canvas.fps: should be less than or equal to 240, not 9000"),
        ("canvs.fps=1", '--set canvs.fps: canvs: unknown key; did you mean "canvas"?'),
        ("sinks.1.kind=ndi", "--set sinks.1.kind: sinks is a list of 1, counted from 0; there is no 1"),
        ("sinks.x=1", "there is no x"),
        ("version.x=1", "--set version.x: version is not a mapping, and cannot hold x"),
        ("canvas.fps=[", "--set canvas.fps: not YAML"),
        (
            "controls.prompt=a: b",
            "controls.prompt: should be text; write quotes inside quotes: --set 'controls.prompt=\"…\"'",
        ),
        ("controls.prompt=1984", "write quotes inside quotes: --set 'controls.prompt=\"1984\"'"),
        ("canvas.fps=*a", "--set canvas.fps: anchors and aliases"),
        ("canvas.fps=", "--set canvas.fps: canvas.fps: should be a valid number, not empty"),
    ],
)
def test_a_wrong_override_is_told_by_its_own_name(override: str, said: str):
    assert said in mistakes(GOOD, override)[0]


def test_secrets_come_from_the_environment():
    config = loads(KEYED, "f", (), {"KEY_IN": "in", "KEY_OUT": "out"})
    assert config.source.key.get_secret_value() == "in"
    assert config.sinks[0].url.get_secret_value() == "rtmp://host/app/out"


def test_an_unset_variable_is_named_along_with_all_other_mistakes():
    lines = mistakes(KEYED + "canvas: {fps: 0}\n", environment={"KEY_IN": ""})
    assert [line.split(":")[1] for line in lines] == ["2", "4", "5"]
    assert "KEY_IN is not set" in lines[0]
    assert "KEY_OUT is not set" in lines[1]


def test_the_environment_is_read_in_secrets_only():
    said = mistakes(GOOD + 'controls: {prompt: "${HOME}"}\n', environment={"HOME": "/home/me"})
    assert said == ["f:6:20: controls.prompt: ${HOME}: the environment is read for secrets only; write the value here"]


def test_an_environment_value_is_text_and_is_not_read_again():
    config = loads(KEYED, "f", (), {"KEY_IN": "{a: 1}", "KEY_OUT": "${KEY_IN}"})
    assert config.source.key.get_secret_value() == "{a: 1}"
    assert config.sinks[0].url.get_secret_value() == "rtmp://host/app/${KEY_IN}"


CANARY = "live_123_canary"


@pytest.mark.parametrize("overrides", [(), ("source.key=[live_123_canary]",), ("sinks.0.url={a: live_123_canary}",)])
def test_a_secret_is_never_shown(overrides: tuple[str, ...]):
    wrong = f"version: 3\nsource: {{kind: rtmp, key: {CANARY}}}\nsinks: [{{kind: ffmpeg, url: [{CANARY}]}}]\n"
    assert CANARY not in "\n".join(mistakes(wrong, *overrides))


def test_the_effective_configuration_hides_secrets_and_shows_where_they_go():
    config = loads(KEYED, "f", (), {"KEY_IN": CANARY, "KEY_OUT": CANARY})
    text = effective_yaml(config)
    assert CANARY not in text
    assert "rtmp://host/app/***" in text
    assert CANARY not in repr(config)
