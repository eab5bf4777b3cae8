"""The mistakes of a first hour, each alone in a small file: refused with the place and what to write, or taken.

The texts of the answers are pinned by the part that helps; a hint that would mislead is pinned as absent.
"""

import json
from pathlib import Path

import pytest

from sdstream.config.load import load, loads
from sdstream.errors import ConfigError

LINES = {
    "version": "version: 1",
    "canvas": "canvas: {width: 640, height: 360, fps: 25}",
    "source": "source: {kind: rtmp, listen: '127.0.0.1:1936'}",
    "engine": "engine: {kind: passthrough}",
    "sinks": "sinks:",
    "sink": "  - {kind: ndi, name: studio}",
    "more": "",
}


def text(**changes: str | None) -> str:
    """Return a good file with some lines changed, or left out for None."""
    return "".join(f"{line}\n" for line in (LINES | changes).values() if line)


REFUSED = [
    # the frame of the file
    ({"canvas": "canvsa: {width: 640}"}, 2, 1, "canvsa", 'did you mean "canvas"?'),
    ({"canvas": "canvas: {heigth: 360}"}, 2, 10, "canvas.heigth", 'did you mean "height"?'),
    ({"canvas": "canvas: {fps: fast}"}, 2, 15, "canvas.fps", "should be a number, not 'fast'"),
    ({"canvas": "canvas: {resolution: 640x360}"}, 2, 10, "canvas.resolution", "canvas: 640x360"),
    ({"canvas": "canvas: {width: 641, height: 360}"}, 2, 17, "canvas.width", "multiple of 2"),
    ({"version": None}, 1, 1, "version", "for example version: 1"),
    ({"version": "version: 3"}, 1, 10, "version", "should be 1, not 3"),
    ({"source": None}, 1, 1, "source", "is missing"),
    ({"sinks": None, "sink": None}, 1, 1, "sinks", "for example sinks: [{kind: preview}]"),
    ({"sink": None}, 5, 1, "sinks", "for example sinks: [{kind: preview}]"),
    ({"sinks": "sinks: {kind: preview}", "sink": None}, 5, 8, "sinks", "should be a list"),
    ({"more": "source: {kind: testsrc}"}, 7, 1, "source", "the first is in line 3"),
    ({"more": "include: base.yaml"}, 7, 1, "include", "--set"),
    ({"canvas": "canvas: &size {width: 640}"}, 2, 9, "canvas", "repeat the value"),
    ({"more": "<<: *base"}, 7, 5, "<<", "repeat the value"),
    ({"more": "prompt: ink"}, 7, 1, "prompt", "belongs under controls"),
    # YAML
    ({"sink": "\t- {kind: preview}"}, 6, 1, "", "indent with spaces, not tabs"),
    ({"source": "  source: {kind: testsrc}"}, 3, 3, "", "start the line in column 1"),
    ({"more": "controls:\n  prompt: ink: wash"}, 8, 14, "", "in quotes"),
    ({"sink": "  - {kind: ffmpeg, url: rtmp://a.invalid/b/${KEY}}"}, 6, 45, "", '"${NAME}" in quotes'),
    ({"sink": '  - {kind: ffmpeg, url: "D:\\Users\\ann\\a.mkv"}'}, 6, 30, "", "single quotes"),
    # the source
    ({"source": "source: {kind: rtmp, listen: '127.0.0.1:rtmp'}"}, 3, 30, "source.listen", "host:port"),
    ({"source": "source: {kind: rtmp, listen: '127.0.0.1:99999'}"}, 3, 30, "source.listen", "65535 or less"),
    ({"source": "source: {kind: rtmp, listen: localhost}"}, 3, 30, "source.listen", "host:port"),
    ({"source": "source: {kind: rtmp, listen: 1936}"}, 3, 30, "source.listen", 'write "127.0.0.1:1936"'),
    ({"source": "source: {kind: rtmp, listen: 'rtmp://10.0.0.1:1936/a'}"}, 3, 30, "source.listen", '"10.0.0.1:1936"'),
    ({"source": "source: {kind: rtmp, listen: '0.0.0.0:1936'}"}, 3, 9, "source", "needs a `key`"),
    ({"source": "source: {kind: rtmp, listen: “127.0.0.1:1936”}"}, 3, 30, "source.listen", "straight quotes"),
    ({"source": "source: {kind: rtmp, listen: '127.0.0.1:1', url: 'rtmp://a/b'}"}, 3, 9, "source", "either"),
    ({"source": "source: {kind: webcam}"}, 3, 16, "source.kind", "format: v4l2, url: /dev/video0"),
    ({"source": "source: {kind: device, url: /dev/video1}"}, 3, 16, "source.kind", "format: v4l2"),
    ({"source": "source: /dev/video2"}, 3, 9, "source", "{kind: ffmpeg, format: v4l2, url: /dev/video0}"),
    ({"source": "source: obs"}, 3, 9, "source", '{kind: rtmp, listen: "127.0.0.1:1935"}'),
    ({"source": "source: clip.mov"}, 3, 9, "source", "{kind: ffmpeg, url: …}"),
    ({"source": "source: rtmp://a.invalid/b"}, 3, 9, "source", "{kind: rtmp, url: …}"),
    # the engine
    ({"engine": "engine: {model: mini, width: 300}"}, 4, 30, "engine.width", "multiple of 8"),
    ({"engine": "engine: {model: sdxl-turbo}"}, 4, 10, "engine.model", "stabilityai/sdxl-turbo"),
    ({"engine": "engine: {model: mni}"}, 4, 10, "engine.model", 'did you mean "mini"?'),
    ({"engine": "engine: {model: dream.ckpt}"}, 4, 10, "engine.model", ".safetensors"),
    # the controls
    ({"more": "controls: {steps: [50]}"}, 7, 20, "controls.steps.0", "less than 50"),
    ({"more": "controls: {steps: []}"}, 7, 19, "controls.steps", "at least 1"),
    ({"more": "controls: {strength: 0.5}"}, 7, 12, "controls.strength", "`steps: [25]`"),
    ({"more": "controls: {denoise: 1}"}, 7, 12, "controls.denoise", "`steps: [0]`"),
    ({"more": "controls: {strength: high}"}, 7, 12, "controls.strength", "`steps: [15]`"),
    ({"more": "controls: {prompt: 2049}"}, 7, 20, "controls.prompt", '"2049"'),
    ({"more": "controls:\n  prompt:"}, 8, 3, "controls.prompt", 'write ""'),
    ({"more": f"controls: {{prompt: {'a ' * 6000}}}"}, 7, 20, "controls.prompt", "at most 10000"),
    ({"more": "controls: {negative: blur}"}, 7, 12, "controls.negative", "negative_prompt"),
    ({"more": "controls: {prompt: '${LOOK}'}"}, 7, 20, "controls.prompt", "for secrets only"),
    ({"more": "controls: {cues: [{time: 3, prompt: ink}]}"}, 7, 20, "controls.cues.0.time", "`at`"),
    ({"more": "controls: {steadiness: high}"}, 7, 24, "controls.steadiness", "off, light, steady or frozen"),
    ({"more": "controls: {steadiness: 7}"}, 7, 24, "controls.steadiness", "less than or equal to 1"),
    # the sinks
    ({"sink": "  - {kind: nmi}"}, 6, 12, "sinks.0.kind", 'did you mean "ndi"?'),
    ({"sink": "  - {name: studio}"}, 6, 5, "sinks.0", "needs a `kind`"),
    ({"sink": "  - {kind: ffmpeg, url: a.mkv, bitrate: 6000}"}, 6, 41, "sinks.0.bitrate", "write 6000k"),
    ({"sink": "  - {kind: ffmpeg, url: 'rtmp://a.invalid/b/$KEY'}"}, 6, 25, "sinks.0.url", "${KEY}"),
    ({"sink": "  - {kind: ffmpeg, url: 'rtmp://a.invalid/b/%KEY%'}"}, 6, 25, "sinks.0.url", "${KEY}"),
    ({"sink": "  - {kind: ffmpeg, url: 'rtmp://a.invalid/b/YOUR_KEY'}"}, 6, 25, "sinks.0.url", "placeholder"),
    (
        {"sink": "  - {kind: preview, listen: '127.0.0.1:1936'}"},
        *(6, 21, "sinks.0.listen", "source listens there already"),
    ),
    (
        {"sink": "  - {kind: virtualcam, device: a}\n  - {kind: virtualcam, device: a}"},
        *(7, 24, "sinks.1.device", "sinks.0 has the same device"),
    ),
    (
        {"sink": "  - {kind: ffmpeg, url: a.mkv}\n  - {kind: ffmpeg, url: a.mkv}"},
        *(7, 20, "sinks.1.url", "sinks.0 has the same url"),
    ),
]
TAKEN = [
    {"canvas": 'canvas: {width: "640", height: 360}'},
    {"canvas": "canvas: {fps: 29.97}"},
    {"canvas": "canvas: {fps: 60000/1001}"},
    {"canvas": "canvas: 1920x1080"},
    {"source": "source: {kind: rtmp, listen: 'localhost:1936'}"},
    {"source": "source: {kind: rtmp, listen: '127.0.0.1:1936', key: plainsecret}"},
    {"sink": "  - {kind: virtualcam}\n  - {kind: virtualcam}"},
    {"sink": "- {kind: ndi, name: studio}"},
    {"sink": "  - {kind: ffmpeg, url: a.mkv, bitrate: 6000kbps}"},
    {"sink": '  - {kind: ffmpeg, url: a.mkv, bitrate: "6.5 Mbit"}'},
    {"engine": "engine: {model: ./somewhere/else}"},
    {"engine": "engine: {model: mini, loras: {ink: ink.safetensors}}"},
    {"more": "controls: {steps: 30}"},
    {"more": "controls: {steps: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]}"},
    {"more": "controls: {prompt: [ink, oil]}"},
    {"more": "controls: {prompt: {ink: 0.3, oil: 0.7}}"},
    {"more": "controls: {prompt: yes}"},
    {"more": "controls: {renoise: yes}"},
    {"more": "controls: {loras: {ink: 0.5}}"},
    {"more": "controls: {cues: [{at: 7, prompt: oil}]}"},
    {"more": 'controls: {cues: [{at: "1:05", prompt: oil}]}'},
    {"more": "controls: {region: person}"},
]


def name(case: object) -> str | None:
    return "; ".join(str(value)[:60] for value in case.values()) if isinstance(case, dict) else None


@pytest.mark.parametrize(("changes", "line", "column", "path", "hint"), REFUSED, ids=name)
def test_a_mistake_is_told_with_its_place_and_what_to_write(
    changes: dict[str, str | None], line: int, column: int, path: str, hint: str
):
    with pytest.raises(ConfigError) as told:
        loads(text(**changes), "show.yaml", (), {})
    lines = str(told.value).splitlines()
    place = f"show.yaml:{line}:{column}: {path}: " if path else f"show.yaml:{line}:{column}: "
    assert [said for said in lines if said.startswith(place) and hint in said], lines


@pytest.mark.parametrize("changes", TAKEN, ids=name)
def test_what_everybody_writes_is_taken(changes: dict[str, str | None]):
    loads(text(**changes), "show.yaml", (), {})


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"# nothing but a comment\n", "the file is empty"),
        (b"", "the file is empty"),
        (text(sink="  - {kind: ndi, name: Café}").encode("latin-1"), "6:26: not UTF-8 (byte 0xe9)"),
        (json.dumps({"version": 1}).encode(), "1:1: source: is missing"),
    ],
)
def test_a_file_that_is_no_configuration_says_so(tmp_path: Path, data: bytes, said: str):
    (tmp_path / "show.yaml").write_bytes(data)
    with pytest.raises(ConfigError) as told:
        load(tmp_path / "show.yaml", (), {})
    assert said in str(told.value)


@pytest.mark.parametrize("data", [text().replace("\n", "\r\n").encode(), text().encode("utf-8-sig")])
def test_a_file_of_windows_is_taken(tmp_path: Path, data: bytes):
    (tmp_path / "show.yaml").write_bytes(data)
    assert load(tmp_path / "show.yaml", (), {}).canvas.width == 640


def test_all_the_mistakes_come_at_once():
    with pytest.raises(ConfigError) as told:
        loads(text(canvas="canvas: {widht: 1, fps: x}", engine="engine: {model: mni}"), "show.yaml", (), {})
    assert [line.split(": ")[1] for line in str(told.value).splitlines()] == ["canvas.widht", "canvas.fps"]
