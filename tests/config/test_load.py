"""A configuration file becomes settings, or every mistake in it is told with its place."""

from pathlib import Path

import pytest

from sdstream.config.load import MAX_SHOWN, load, loads, read
from sdstream.errors import ConfigError
from tests.config.configuration_text import GOOD, mistakes


def test_a_good_file_gives_its_values_and_the_defaults_of_the_rest():
    config = loads(GOOD + "canvas: {fps: 29.97}\n", "f", (), {})
    assert (config.canvas.fps, config.canvas.width, config.sinks[0].kind) == (29.97, 1280, "discard")


def test_mistakes_come_all_at_once_with_their_places_in_order():
    text = "version: 1\nsource: {kind: testsrc}\ncanvas: {width: 1281, fps: x}\nsinks:\n  - {kind: discard, n: 1}\n"
    positions = [line.split(": ")[:2] for line in mistakes(text)]
    assert positions == [["f:3:17", "canvas.width"], ["f:3:28", "canvas.fps"], ["f:5:21", "sinks.0.n"]]


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ("canvas: {widht: 8}", 'canvas.widht: unknown key; did you mean "width"?'),
        ("promt: x", "promt: unknown key"),
        ("prompt: x", "prompt: unknown key; this key belongs under controls"),
        ("controls: {guidance: {mode: self-negative}}", "not 'self-negative'; did you mean \"self_negative\"?"),
        ("controls: {steps: [45, 32]}", "controls.steps: steps [45, 32] must increase"),
        ("controls: {steps: []}", "controls.steps: should have at least 1 item"),
        ("controls: {prompt: 3}", 'controls.prompt: should be text; write it in quotes: "3"'),
        ("controls: {prompt: [{text: a, wieght: 1}]}", "controls.prompt.0.wieght: unknown key"),
        ("controls: {region: }", "controls.region: should be a mapping"),
        ("canvas: [1]", "canvas: should be a mapping"),
        ("canvas: {fps: .nan}", "canvas.fps: should be a finite number"),
        ("canvas: {fps: 0}", "canvas.fps: should be greater than or equal to 1, not 0"),
        ("canvas: {fit: covr}", "canvas.fit: should be cover, contain or fill, not 'covr'; did you mean \"cover\"?"),
        ("air: {slate: nowhere.png}", "air.slate: should be a file that exists, not 'nowhere.png'"),
        ("air: {hold: yes}", "air.hold: should be a number, not 'yes'"),
    ],
)
def test_a_mistake_says_what_was_expected(extra: str, said: str):
    assert said in mistakes(GOOD + extra)[0]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("{}", "source: needs a `kind`: rtmp, srt, ndi, ffmpeg or testsrc"),
        (
            "{kind: rtmpp}",
            "source.kind: should be rtmp, srt, ndi, ffmpeg or testsrc, not 'rtmpp'; did you mean \"rtmp\"?",
        ),
        ("{kind: rtmp}", "source: needs either `listen`"),
        ("{kind: rtmp, listen: 'a:1', url: x}", "source: needs either `listen`"),
        ("{kind: rtmp, listen: '0.0.0.0:1935'}", "source: needs a `key`"),
        ("{kind: rtmp, listen: '[::]:1935'}", "source: needs a `key`"),
        ("{kind: rtmp, listen: '127.0.0.1'}", "source.listen: should be: `host:port`"),
        ("{kind: rtmp, listen: '127.0.0.1:99999'}", "source.listen: port 99999"),
        ("{kind: ndi}", "source: needs either `name`"),
        ("{kind: ffmpeg}", "source.url: is missing, and needed"),
        ("{kind: testsrc, listen: '127.0.0.1:1'}", "source.listen: unknown key; known here: audio"),
    ],
)
def test_a_source_must_be_one_that_can_be_opened(source: str, said: str):
    assert said in mistakes(GOOD.replace("{kind: testsrc}", source))[0]


@pytest.mark.parametrize("listen", ["127.0.0.1:1935", "localhost:1935", "[::1]:1935"])
def test_listening_on_this_machine_alone_needs_no_key(listen: str):
    config = loads(GOOD.replace("{kind: testsrc}", f"{{kind: rtmp, listen: '{listen}'}}"), "f", (), {})
    assert config.source.kind == "rtmp"


def test_two_ndi_sinks_of_one_name_are_refused():
    assert "same name" in mistakes(GOOD + "  - {kind: ndi}\n  - {kind: ndi}\n")[0]


def test_a_key_given_twice_is_told_with_both_lines():
    assert mistakes(GOOD + "version: 1\n") == ["f:6:1: version: given twice; the first is in line 1"]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("empty", b"", "is empty"),
        ("comment", b"# nothing\n", "is empty"),
        ("list", b"- a\n", "1:1: should be a mapping"),
        ("latin", "version: 1 # \u00e9\n".encode("latin-1"), "1:14: not UTF-8"),
        ("utf16", "version: 1".encode("utf-16"), "1:1: not UTF-8"),
        ("big", b"#" * 300_000, "larger than 256 kB"),
        ("nul", b"version: \x00", "1:10: control character U+0000"),
        ("tab", b"canvas:\n\twidth: 1\n", "2:1: not YAML: found character '\\t' that cannot start any token"),
        ("binary", bytes(range(256)) * 9, ": "),
    ],
)
def test_a_file_that_is_no_configuration_is_refused(tmp_path: Path, name: str, content: bytes, said: str):
    file = tmp_path / name
    file.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load(file)
    assert str(caught.value).startswith(str(file))
    assert said in str(caught.value)


def test_a_missing_file_and_a_folder_are_told_apart(tmp_path: Path):
    with pytest.raises(ConfigError, match="no such file; write a new file with: sdstream init"):
        load(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match="is a directory"):
        load(tmp_path)


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path):
    file = tmp_path / "bom.yaml"
    file.write_bytes(b"\xef\xbb\xbf" + GOOD.encode())
    assert load(file).version == 1


def test_a_flood_of_mistakes_is_cut_short_and_counted():
    lines = mistakes(GOOD + "".join(f"k{number}: 1\n" for number in range(300)))
    assert len(lines) == MAX_SHOWN + 1
    assert lines[-1] == f"and {300 - MAX_SHOWN} more"


MODEL = GOOD.replace("{kind: passthrough}", "{loras: {sketch: {path: s}, lcm: {path: l, fuse: true}}}")


@pytest.mark.parametrize(
    ("controls", "said"),
    [
        ("loras: {skech: 1}", "f:6:20: controls.loras.skech: the engine has no such name; engine.loras has: sk"),
        ("loras: {lcm: 1}", "f:6:20: controls.loras.lcm: this LoRA is fused at load"),
        ("controlnets: {edges: 1}", "f:6:26: controls.controlnets.edges: the engine has no such name"),
        ("ip_adapters: {ref: 1}", "f:6:26: controls.ip_adapters.ref: the engine has no such name"),
        ("region: {mode: mask}", "f:6:21: controls.region.mode: mask needs engine.mask"),
        ("region: {mode: background}", "f:6:21: controls.region.mode: background needs engine.segmentation_model"),
    ],
)
def test_controls_that_the_engine_cannot_follow_are_mistakes(controls: str, said: str):
    assert mistakes(MODEL + f"controls: {{{controls}}}\n")[0].startswith(said)


def test_controls_that_the_engine_can_follow_are_none():
    assert loads(MODEL + "controls: {loras: {sketch: 1}}\n", "f", (), {}).controls.loras == {"sketch": 1}


def test_passthrough_ignores_what_a_model_would_be_asked_for():
    assert loads(GOOD + "controls: {loras: {sketch: 1}}\n", "f", (), {}).controls.loras == {"sketch": 1}


def test_a_control_of_the_command_line_that_cannot_be_followed_is_told_by_its_option():
    said = mistakes(MODEL, "controls.loras.bogus=1")
    assert said[0].startswith("--set controls.loras.bogus: controls.loras.bogus: the engine has no such name")


def test_a_reading_shows_no_secret_of_the_environment(tmp_path: Path):
    path = tmp_path / "f.yaml"
    path.write_text(GOOD.replace("{kind: testsrc}", '{kind: rtmp, listen: "127.0.0.1:1935", key: "${SDSTREAM_KEY}"}'))
    reading = read(path, environment={"SDSTREAM_KEY": "hush-hush"})
    assert reading.config is not None
    assert "hush-hush" not in repr(reading)
