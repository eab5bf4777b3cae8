"""Files and values that nobody writes in good faith: each is settings or a mistake, in bounded time."""

import contextlib
import os
import threading
import time
from pathlib import Path

import pytest

from sdstream.config import file_text
from sdstream.config.load import load, loads
from sdstream.config.printing.document import effective_yaml
from sdstream.config.yaml_tree import MAX_BYTES
from sdstream.errors import ConfigError, Forbidden
from tests.config.configuration_text import GOOD, mistakes
from tests.harness.nobody import nobody

LONG = "a" * 300
SECTIONS = ("version: 1", "source: {kind: testsrc}", "engine: {kind: passthrough}", "sinks: [{kind: discard}]")
PLACES = [
    'air: {{slate: "{}"}}',
    'source: {{kind: rtmp, url: "rtmps://h/a/k", ca_file: "{}"}}',
    'source: {{kind: ffmpeg, url: "{}"}}',
    'source: {{kind: rtmp, listen: "127.0.0.1:1", key: "{}"}}',
    'source: {{kind: rtmp, listen: "{}"}}',
    'source: {{kind: ndi, name: "{}"}}',
    'source: {{kind: ffmpeg, url: x, options: {{a: "{}"}}}}',
    'engine: {{model: "{}"}}',
    'engine: {{mask: "{}"}}',
    'engine: {{loras: {{a: "{}"}}}}',
    'engine: {{loras: {{"{}": a}}}}',
    'sinks: [{{kind: ffmpeg, url: "{}"}}]',
    'sinks: [{{kind: ffmpeg, url: a.mkv, bitrate: "{}"}}]',
    'sinks: [{{kind: preview, listen: "{}"}}]',
    'sinks: [{{kind: virtualcam, device: "{}"}}]',
    'canvas: "{}"',
    'controls: {{prompt: "{}"}}',
    'controls: {{cues: [{{at: "{}", prompt: x}}]}}',
    '"{}": 1',
]
VALUES = [
    LONG, "/a" * 3000, r"\0", r"\ud800", "~nobody-here/x", "9" * 500, "9" * 500 + "M", "1e400", "\u0663", "\u00b2k",
    "127.0.0.1:\u0668\u0660", "[::1]:0", "{0.__class__}", "%s%n", r"\u202e", r"\n\n", "rtmp://[::1/a/k", "://",
    "http://h:99999999/x", "C:\\\\x", "/proc/self/mem", "concat:/etc/passwd|x", "${HOME}", "${", "/dev/zero", "..", "",
]  # fmt: skip


def show(setting: str) -> str:
    """Return a configuration with one setting in the place of the section of the same name."""
    key = setting.partition(":")[0]
    others = (part for part in SECTIONS if not part.startswith(f"{key}:"))
    return "\n".join([*others, setting])


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("value", VALUES)
def test_an_odd_value_anywhere_is_taken_or_a_mistake(place: str, value: str):
    began = time.process_time()
    with contextlib.suppress(ConfigError):
        effective_yaml(loads(show(place.format(value)), "f", (), {}))
    assert time.process_time() - began < 10


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        (f"air: {{slate: {LONG}.png}}", "air.slate: should be a file that exists, not 'aaa"),
        (f"engine: {{mask: {LONG}}}", "engine.mask: should be a file that exists"),
        ('engine: {model: "a/b\\0"}', r"engine.model: \0 ends a text for the system"),
        ('controls: {prompt: "\\ud83d"}', r"controls.prompt: half a character (\ud800 to \udfff)"),
        ('source: {kind: rtmp, listen: "127.0.0.1:\u0661"}', "source.listen: should be: `host:port`"),
        ('source: {kind: rtmp, listen: "\\u0001:80"}', "source.listen: should be: `host:port`"),
        (f"sinks: [{{kind: ffmpeg, url: a.mkv, bitrate: {'9' * 500}M}}]", "sinks.0.bitrate: should be a whole number"),
        ('sinks: [{kind: ffmpeg, url: a.mkv, bitrate: "\u0664k"}]', "sinks.0.bitrate: should be a whole number"),
    ],
)
def test_an_odd_value_is_told_with_its_place(setting: str, said: str):
    assert said in "\n".join(mistakes(show(setting)))


@pytest.mark.parametrize("url", ["rtmp://[::1/a/canary", "rtmp://u:canary℀@h/a/k", "rtmp://u:ca#nary@h/a/canary"])
@pytest.mark.parametrize("place", ["source: {{kind: rtmp, url: '{}'}}", "sinks: [{{kind: ffmpeg, url: '{}'}}]"])
def test_a_url_that_cannot_be_read_is_a_mistake_that_quotes_nothing(place: str, url: str):
    said = "\n".join(mistakes(show(place.format(url))))
    assert "url: cannot be read as a URL; in a name or a password write %23 for #" in said
    assert "canary" not in said


@pytest.mark.parametrize(
    "place", ["version: '{}'", "canvas: '{}'", "air: {{slate: '{}'}}", "engine: {{mask: '{}'}}", "'{}': 1"]
)
def test_a_url_in_a_wrong_place_is_told_without_its_key(place: str):
    said = "\n".join(mistakes(GOOD + place.format("rtmp://u:canary@h/app/canary")))
    assert "canary" not in said.replace("unknown key", "")


@pytest.mark.parametrize("value", ["two\nlines", "esc\x1b", "half\udcff"])
def test_a_secret_of_the_environment_that_cannot_be_sent_is_a_mistake(value: str):
    text = GOOD.replace("{kind: testsrc}", '{kind: rtmp, listen: "127.0.0.1:1", key: "${KEY}"}')
    said = mistakes(text, environment={"KEY": value})
    assert "source.key: the environment variable KEY holds a line break or bytes that are no text" in said[0]


def test_a_file_of_another_user_is_forbidden(tmp_path: Path):
    file = tmp_path / "show.yaml"
    file.write_text(GOOD)
    with nobody(), pytest.raises(Forbidden, match="may not read the file"):
        load(file)


@pytest.mark.parametrize("setting", ["air: {{slate: '{}'}}", "engine: {{mask: '{}'}}"])
def test_a_picture_in_a_folder_of_another_user_is_forbidden(tmp_path: Path, setting: str):
    (tmp_path / "x.png").touch()
    text = GOOD.replace("engine: {kind: passthrough}\n", "") + setting.format(tmp_path / "x.png")
    with nobody(), pytest.raises(Forbidden, match="should be a file that this user may read"):
        loads(text, "f")


def test_a_pipe_that_nobody_writes_into_is_a_mistake_after_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(file_text, "WITHIN", 0.2)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigError, match="no end of the text"):
        load(tmp_path / "pipe")


def test_a_pipe_with_a_writer_is_read_to_its_end(tmp_path: Path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=(GOOD,))
    writer.start()
    assert load(pipe).source.kind == "testsrc"
    writer.join()


@pytest.mark.parametrize("path", ["/dev/zero", "/proc/self/mem", "/", f"/etc/{LONG}", "a\0b", "/etc/passwd/x"])
def test_a_path_that_is_no_file_is_a_mistake(path: str):
    with pytest.raises(ConfigError):
        load(Path(path))


def filled(unit: str, before: str = "") -> str:
    """Return a text as large as a file may be."""
    return (before + unit * (MAX_BYTES // len(unit)))[:MAX_BYTES]


SINKS = "version: 1\nsource: {kind: testsrc}\nsinks: ["


@pytest.mark.parametrize(
    "text",
    [
        filled("a,", SINKS), filled("{a: 1},", SINKS), filled("{kind: discard},", SINKS), filled("k: 1\n", GOOD),
        GOOD + "".join(f"canvas{number:05}: 1\n" for number in range(17_000)), filled("[", "x: "), filled('"a"', "x: "),
        filled("- ", ""), filled("&a *a ", "x: "), filled("? ", ""), filled("a\n ", "x: "), filled("\t", ""),
        filled("{text: a},", GOOD + "controls: {prompt: ["), filled("x: 1, ", GOOD + "controls: {loras: {"),
    ],
    ids=range(14),
)  # fmt: skip
def test_256_kb_of_nonsense_costs_seconds_at_most(text: str):
    began = time.process_time()
    with pytest.raises(ConfigError):
        loads(text, "f", (), {})
    assert time.process_time() - began < 15


def test_a_file_whose_name_is_no_utf8_is_a_source():
    text = show('source: {kind: ffmpeg, url: "x\\udcffy.mp4"}')
    assert loads(text, "f").source.url.get_secret_value() == "x\udcffy.mp4"
