"""Mistakes that people make in a first file: refused with the place and the next step, or taken where harmless."""

from pathlib import Path

import pytest

from sdstream.config.load import load, loads
from tests.config.configuration_text import mistakes

SHOW = """\
version: 1
canvas: {width: 640, height: 360, fps: 25}
source: {kind: rtmp, listen: "127.0.0.1:1935"}
engine: {kind: passthrough}
sinks:
  - {kind: ndi, name: studio}
"""
CANVAS = "{width: 640, height: 360, fps: 25}"
SOURCE = '{kind: rtmp, listen: "127.0.0.1:1935"}'
ENGINE = "{kind: passthrough}"
SINKS = "\n  - {kind: ndi, name: studio}"
LISTEN = '"127.0.0.1:1935"'
VERSION = "version: 1\n"


def stream(key: str) -> str:
    """Return the line of a sink that streams with `key`."""
    return f'\n  - {{kind: ffmpeg, url: "rtmp://live.twitch.tv/app/{key}"}}'


def show(old: str, new: str) -> str:
    """Return a good file with a part replaced; an empty `old` puts a line behind the file."""
    return SHOW.replace(old, new, 1) if old else f"{SHOW}{new}\n"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("canvas", "canvass", 'f:2:1: canvass: unknown key; did you mean "canvas"?'),
        ("width", "widht", 'f:2:10: canvas.widht: unknown key; did you mean "width"?'),
        ("640", '"wide"', "f:2:17: canvas.width: should be a whole number, not 'wide'"),
        ("640", "641", "f:2:17: canvas.width: should be a multiple of 2, not 641"),
        (CANVAS, "{size: 640x360}", "f:2:10: canvas.size: unknown key; write the size as `canvas: 640x360`"),
        (CANVAS, "big", "f:2:9: canvas: should be a mapping (`key: value` lines), not 'big'; for example canvas: 1280"),
        (VERSION, "", "f:1:1: version: is missing, and needed; for example version: 1"),
        (VERSION, "version: 2\n", "f:1:10: version: should be 1, not 2"),
        ("", "version: 1", "f:7:1: version: given twice; the first is in line 1"),
        ("", "include: more.yaml", "f:7:1: include: unknown key; a file describes a whole run"),
        ("", "<<: *more", "f:7:5: <<: anchors and aliases (& and *) are not read here; repeat the value"),
        (CANVAS, "&big {width: 640}", "f:2:9: canvas: anchors and aliases"),
        ("", "prompt: anime", "f:7:1: prompt: unknown key; this key belongs under controls"),
    ],
)
def test_a_mistake_in_the_frame_of_the_file(old: str, new: str, said: str):
    assert mistakes(show(old, new))[0].startswith(said)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (LISTEN, '"127.0.0.1:port"', "f:3:30: source.listen: should be: `host:port` on which to wait"),
        (LISTEN, '"127.0.0.1"', "f:3:30: source.listen: should be: `host:port` on which to wait"),
        (LISTEN, '"127.0.0.1:70000"', "f:3:30: source.listen: port 70000 should be 65535 or less"),
        (LISTEN, "1935", 'f:3:30: source.listen: should be `host:port`; write "127.0.0.1:1935"'),
        (LISTEN, "rtmp://127.0.0.1:1935/live", "not 'rtmp://127.0.0.1:1935/***'; write \"127.0.0.1:1935\""),
        (LISTEN, '"0.0.0.0:1935"', "f:3:9: source: needs a `key`, because other machines can reach 0.0.0.0:1935"),
        (LISTEN, "“127.0.0.1:1935”", "f:3:30: source.listen: curly quotes are part of the text; write straight quotes"),
        (LISTEN, '"127.0.0.1:1935", url: "rtmp://a/b"', "f:3:9: source: needs either `listen`"),
        (f"source: {SOURCE}\n", "", "f:1:1: source: is missing, and needed; for example source: {kind: "),
        (SOURCE, "/dev/video0", "f:3:9: source: should be a mapping (`key: value` lines), not '/dev/video0'; write {k"),
        (SOURCE, "{kind: camera}", "not 'camera'; for a webcam write {kind: ffmpeg, format: v4l2, url: /dev/video0}"),
        (SOURCE, "{kind: v4l2, device: /dev/video0}", "not 'v4l2'; for a webcam write {kind: ffmpeg, format: v4l2"),
        ("source", " source", "start the line in column 1, as its neighbours do"),
        ("canvas", " canvas", "start the line in column 1, as its neighbours do"),
    ],
)
def test_a_mistake_in_the_source(old: str, new: str, said: str):
    assert said in mistakes(show(old, new))[0]


@pytest.mark.parametrize(
    ("new", "said"),
    [
        ("{model: mini, width: 500}", "f:4:30: engine.width: should be a multiple of 8; or should be auto, not 500"),
        (
            "{model: minni}",
            "f:4:10: engine.model: no model has the name 'minni'; write mini, a folder, a file, or a hub",
        ),
        ("{model: sd-turbo}", 'did you mean "stabilityai/sd-turbo"?'),
        ("{model: a.pkl}", "engine.model: .pkl files may hold programs"),
        ("{model: a.ckpt}", "engine.model: .ckpt files may hold programs, and are not opened; take the model's .safet"),
        (
            "{mask: nowhere.png}",
            "f:4:10: engine.mask: should be a file that exists, not 'nowhere.png'; a relative name",
        ),
    ],
)
def test_a_mistake_in_the_engine(new: str, said: str):
    assert said in mistakes(show(ENGINE, new))[0]


@pytest.mark.parametrize(
    ("new", "said"),
    [
        ("steps: [60]", "f:7:20: controls.steps.0: should be less than 50, not 60"),
        ("steps: []", "f:7:19: controls.steps: should have at least 1 item"),
        (
            "strength: 0.7",
            "f:7:12: controls.strength: unknown key; for a strength of 0.7 (img2img) write `steps: [15]`",
        ),
        ("negative: ugly", 'f:7:12: controls.negative: unknown key; did you mean "negative_prompt"?'),
        ("prompt: ", 'f:7:19: controls.prompt: is empty; write "" for no text, or remove the line'),
        ("prompt: 1984", 'f:7:20: controls.prompt: should be text; write it in quotes: "1984"'),
        ('prompt: "${PROMPT}"', "f:7:20: controls.prompt: ${PROMPT}: the environment is read for secrets only; write"),
        (
            f"prompt: {'very ' * 3000}big",
            "f:7:20: controls.prompt: should have at most 10000 characters, not 'very very",
        ),
        ("cues: [{time: 5, prompt: a}]", "f:7:19: controls.cues.0.at: is missing, and needed"),
        ("steadiness: strong", "should be off, light, steady or frozen; or should be a number, not 'strong'"),
        ("steadiness: 2", "should be off, light, steady or frozen; or should be less than or equal to 1, not 2"),
    ],
)
def test_a_mistake_in_the_controls(new: str, said: str):
    line = mistakes(show("", f"controls: {{{new}}}"))[0]
    assert said in line
    assert "[a, b]" not in line


@pytest.mark.parametrize(
    ("new", "said"),
    [
        ("", "f:5:1: sinks: should be a list (`- value` lines, or [a, b]), not empty; for example sinks: [{kind: pre"),
        (
            " {kind: ndi}",
            "f:5:8: sinks: should be a list (`- value` lines, or [a, b]); for example sinks: [{kind: prev",
        ),
        (
            "\n  - {kind: nid}",
            "f:6:12: sinks.0.kind: should be virtualcam, ndi, ffmpeg, rtmp, srt, twitch, youtube, file, ",
        ),
        ("\n  - {kind: twitch}", "sinks.0.key: is missing, and needed"),
        ("\n  - {kind: twitch, key: my-key}", "is a placeholder for a key; put the key into the environment"),
        ("\n  - {kind: twitch, key: $TWITCH_KEY}", "write ${TWITCH_KEY}, with braces"),
        ('\n  - {kind: youtube, key: "%KEY%"}', "write ${KEY}, with braces"),
        ("\n  - {kind: twitch, key: rtmp://live.twitch.tv/app/a1b2}", "should be the stream key alone"),
        ('\n  - {kind: twitch, key: "live_1 a1b2"}', "without spaces"),
        ("\n  - {kind: rtmp, url: live.example}", "should read rtmp://HOST/APPLICATION"),
        ("\n  - {kind: rtmp, url: rtmp://a/b, bitrate: 4500}", "for 4500 kbit/s write 4500k"),
        ("\n  - {kind: file, path: rtmp://a/b/c}", "should be a file; for a server write kind: rtmp"),
        ("\n  - {kind: rtmps}", 'for RTMPS write {kind: rtmp, url: "rtmps://HOST/APP", key: "${STREAM_KEY}"}'),
        (
            "\n  - {name: studio}",
            "f:6:5: sinks.0: needs a `kind`: virtualcam, ndi, ffmpeg, rtmp, srt, twitch, youtube, file, ",
        ),
        ("\n\t- {kind: ndi}", "f:6:1: not YAML: found character '\\t' that cannot start any token"),
        ('\n  - {kind: ffmpeg, url: "C:\\Users\\me.mkv"}', "write a Windows path in single quotes, or with /"),
        (
            '\n  - {kind: ffmpeg, url: "C:\\new.mkv"}',
            "f:6:25: sinks.0.url: \\n in double quotes is a control character",
        ),
        ("\n  - {kind: ffmpeg, url: rtmp://a/b/${KEY}}", 'write "${NAME}" in quotes'),
        ("\n  - {kind: ffmpeg, url: a.mkv, bitrate: 4500}", "f:6:41: sinks.0.bitrate: 4500 would be bits a second"),
    ],
)
def test_a_mistake_in_the_sinks(new: str, said: str):
    assert said in mistakes(show(SINKS, new))[0]


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("$TWITCH_KEY", "write ${TWITCH_KEY}, with braces, to take the value of the environment variable TWITCH_KEY"),
        ("%TWITCH_KEY%", "write ${TWITCH_KEY}, with braces"),
        ("{{ TWITCH_KEY }}", "write ${TWITCH_KEY}, with braces"),
        ("TWITCH_KEY", "write ${TWITCH_KEY}, with braces"),
        ("<your key>", "is a placeholder for a key"),
        ("YOUR_KEY", "is a placeholder for a key"),
        ("your-stream-key-here", "is a placeholder for a key"),
        ("***", "is a placeholder for a key"),
        ("xxxx", "is a placeholder for a key"),
    ],
)
def test_a_placeholder_is_no_key(key: str, said: str):
    line = mistakes(show(SINKS, stream(key)))[0]
    assert line.startswith("f:6:25: sinks.0.url: ")
    assert said in line
    assert said in mistakes(show(LISTEN, f'{LISTEN}, key: "{key}"'))[0]


@pytest.mark.parametrize("key", ["live_42_aX9", "a$b", "50%off%", "monkey", "key", "hockey-key"])
def test_a_key_of_a_person_is_no_placeholder(key: str):
    assert loads(show(SINKS, stream(key)), "f", (), {}).sinks[0].url.get_secret_value().endswith(key)


def test_a_key_from_the_environment_may_be_any_text():
    config = loads(show(SINKS, stream("${KEY}")), "f", (), {"KEY": "<your key>"})
    assert config.sinks[0].url.get_secret_value().endswith("<your key>")


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        ("virtualcam, device: studio", "virtualcam, device: studio", "sinks.1.device: a virtual camera takes a single"),
        ('preview, listen: "127.0.0.1:8400"', "preview", "sinks.1: 127.0.0.1:8400: sinks.0 listens there already"),
        (
            "preview",
            'preview, listen: "localhost:8400"',
            "sinks.1.listen: localhost:8400: sinks.0 listens there already",
        ),
        ("ndi", 'preview, listen: "127.0.0.1:1935"', "sinks.1.listen: 127.0.0.1:1935: source listens there already"),
        ("ffmpeg, url: a.mkv", "ffmpeg, url: ./a.mkv", "sinks.1.url: each output needs a place of its own; sinks.0"),
        ("ffmpeg, url: rtmp://h/a/k", "ffmpeg, url: rtmp://h/a/k", "sinks.1.url: each output needs a place of its own"),
        ("ndi, name: a", "ndi, name: a", "f:7:17: sinks.1.name: two ndi senders have the same name"),
    ],
)
def test_two_parts_in_the_same_place_are_refused(first: str, second: str, said: str):
    line = mistakes(show(SINKS, f"\n  - {{kind: {first}}}\n  - {{kind: {second}}}"))[0]
    assert line.startswith("f:7:")
    assert said.removeprefix("sinks.1: ") in line


def test_an_output_over_the_source_file_is_refused():
    text = show(SOURCE, "{kind: ffmpeg, url: a.mkv}").replace(SINKS, "\n  - {kind: ffmpeg, url: a.mkv}")
    assert mistakes(text) == ["f:6:20: sinks.0.url: each output needs a place of its own; source has the same url"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            SINKS,
            "\n  - virtualcam",
            "f:6:5: sinks.0: should be a mapping (`key: value` lines), not 'virtualcam'; write {k",
        ),
        (ENGINE, "passthrough", "not 'passthrough'; write {kind: passthrough}"),
        (CANVAS, "{width: 640 height: 360}", "write a comma between two parts"),
        ("canvas: ", "canvas:", "f:2:27: not YAML: mapping values are not allowed here; write a space after the colon"),
        (
            SINKS,
            "\n  - {kind: ffmpeg, url: rtmp://a/b, key: c}",
            "unknown key; the stream key is the last part of `url`",
        ),
        (SINKS, "\n  - {kind: ffmpeg, url: }", "f:6:24: sinks.0.url: is empty; write the value"),
        (SINKS, '\n  - {kind: ffmpeg, url: ""}', "f:6:25: sinks.0.url: should have at least 1 item"),
    ],
)
def test_a_slip_of_the_pen_is_answered_with_what_to_write(old: str, new: str, said: str):
    assert said in mistakes(show(old, new))[0]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("640", '"640"'),
        ("25}", "29.97}"),
        ("25}", "30000/1001}"),
        (CANVAS, "640x360"),
        (LISTEN, '"localhost:1935"'),
        (LISTEN, f"{LISTEN}, key: a-secret-of-mine"),
        (SINKS, "\n- {kind: ndi, name: studio}"),
        (SINKS, "\n  - {kind: virtualcam}\n  - {kind: virtualcam}"),
        (SINKS, '\n  - {kind: preview, listen: "127.0.0.1:0"}\n  - {kind: preview, listen: "127.0.0.1:0"}'),
        (SINKS, "\n  - {kind: ffmpeg, url: 'C:\\Users\\me\\show.mkv'}"),
        (SINKS, "\n  - {kind: ffmpeg, url: a.mkv, bitrate: 4500kbps}"),
        (ENGINE, "{model: mini}"),
        (ENGINE, "{model: stabilityai/sd-turbo}"),
        ("", "controls: {prompt: no}"),
        ("", "controls: {prompt: “anime”}"),
        ("", "controls: {renoise: yes}"),
        ("", "controls: {steps: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]}"),
        ("", "controls: {cues: [{at: 5, prompt: anime}]}"),
        ("", "controls: {loras: {ink: 0.8}}"),
    ],
)
def test_what_is_harmless_is_taken(old: str, new: str):
    assert loads(show(old, new), "f", (), {}).version == 1


@pytest.mark.parametrize("data", [SHOW.replace("\n", "\r\n").encode(), b"\xef\xbb\xbf" + SHOW.encode()])
def test_the_line_ends_and_the_byte_order_mark_of_windows_are_taken(tmp_path: Path, data: bytes):
    (tmp_path / "show.yaml").write_bytes(data)
    assert load(tmp_path / "show.yaml", (), {}).canvas.width == 640


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("controls.prompt=1984", "--set 'controls.prompt=\"1984\"'"),
        ("controls.prompt=oil: thick", "--set 'controls.prompt=\"…\"'"),
        ("controls.prompt=", 'is empty; write "" for no text'),
    ],
)
def test_an_override_that_is_no_text_says_how_to_write_a_text(override: str, said: str):
    assert said in mistakes(SHOW, override)[0]


def test_the_advice_for_a_text_on_the_command_line_works():
    assert loads(SHOW, "f", ['controls.prompt="1984"'], {}).controls.prompt == "1984"
