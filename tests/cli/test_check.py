"""`check` says ok and what the run will need, answers mistakes as JSON, and opens no heavy library."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sdstream import __version__
from sdstream.config.load import loads
from tests.cli.command_line import Sdstream

SHOW = """version: 1
source: {kind: rtmp, listen: "0.0.0.0:1940", app: studio, key: verysecret}
engine: {model: stabilityai/sd-turbo}
sinks:
  - {kind: ffmpeg, url: "rtmp://live.twitch.tv/app/streamkey"}
  - {kind: preview, listen: "127.0.0.1:8400", key: pagesecret}
  - {kind: virtualcam, device: studio, optional: true}
"""
HEAVY = ("torch", "av", "cv2", "diffusers", "numpy", "openvino", "NDIlib")


@pytest.fixture
def show(tmp_path: Path) -> Path:
    file = tmp_path / "show.yaml"
    file.write_text(SHOW)
    return file


def test_a_good_configuration_is_ok_and_its_needs_are_told(sdstream: Sdstream, show: Path):
    answer = sdstream("check", str(show))
    assert (answer.status, answer.err) == (0, "")
    lines = [" ".join(line.split()) for line in answer.out.splitlines()]
    assert lines[:6] == [
        f"ok: {show}",
        "source rtmp a publisher such as OBS: Server rtmp://THIS-MACHINE:1940/studio, "
        "Stream Key: the value of source.key",
        "engine diffusion the model stabilityai/sd-turbo, fetched at the first start, or now: "
        "sdstream models pull stabilityai/sd-turbo",
        "sinks.0 ffmpeg the server rtmp://live.twitch.tv/app/***",
        "sinks.1 preview the port 127.0.0.1:8400; browse http://127.0.0.1:8400/KEY/",
        'sinks.2 virtualcam the virtual camera "studio" (the run goes on without)',
    ]
    assert f"sdstream doctor {show}" in answer.out
    assert not any(secret in answer.out for secret in ("verysecret", "streamkey", "pagesecret"))


def test_a_missing_library_is_told_with_its_line(sdstream: Sdstream, show: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "pyvirtualcam", None)
    assert "sinks.2: not installed yet; type: " in sdstream("check", str(show)).out


def test_json_tells_needs_and_configuration(sdstream: Sdstream, show: Path):
    answer = json.loads(sdstream("check", str(show), "--json").out)
    assert (answer["version"], answer["ok"], answer["mistakes"]) == (__version__, True, [])
    assert [need["part"] for need in answer["needs"]] == ["source", "engine", "sinks.0", "sinks.1", "sinks.2"]
    assert answer["configuration"]["source"]["key"] == "***"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("version: 1\nsinks: []\nsource: {kind: testsrc, fps: x}\n", [(2, 8, "sinks"), (3, 30, "source.fps")]),
        ("version: [1\n", [(2, 1, "")]),
        ("", [(None, None, "")]),
    ],
)
def test_json_answers_mistakes(sdstream: Sdstream, show: Path, text: str, wanted: list[tuple[object, ...]]):
    show.write_text(text)
    answer = sdstream("check", str(show), "--json")
    told = json.loads(answer.out)
    assert (answer.status, answer.err, told["ok"]) == (78, "", False)
    assert [(one["line"], one["column"], one["path"]) for one in told["mistakes"]] == wanted
    assert all(one["file"] == str(show) and one["message"] for one in told["mistakes"])


def test_json_answers_a_file_that_is_not_there(sdstream: Sdstream, tmp_path: Path):
    answer = sdstream("check", str(tmp_path / "none.yaml"), "--json")
    assert (answer.status, json.loads(answer.out)["mistakes"][0]["file"]) == (78, str(tmp_path / "none.yaml"))


def test_json_tells_what_is_missing(sdstream: Sdstream, show: Path):
    show.write_text(SHOW.replace("stabilityai/sd-turbo", "./nowhere"))
    answer = sdstream("check", str(show), "--json")
    told = json.loads(answer.out)
    assert (answer.status, told["ok"], "./nowhere" in told["missing"]) == (69, False, True)


def test_check_opens_the_header_of_an_ip_adapter_without_torch(sdstream: Sdstream, show: Path):
    header = json.dumps({"image_proj.perceiver_resampler.x": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}})
    file = show.parent / "face.safetensors"
    file.write_bytes(len(header).to_bytes(8, "little") + header.encode())
    adapter = f"{{kind: diffusion, ip_adapters: {{ref: {{path: {file}, picture: live}}}}, model: "
    show.write_text(SHOW.replace("{model: ", adapter))
    code = f"import sys; sys.argv = ['sdstream', 'check', {str(show)!r}]; from sdstream.cli import main\n"
    code += "try: main()\nfinally: print('torch' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (answer.returncode, answer.stdout.splitlines()[-1]) == (69, "False")
    assert "is an IP-Adapter FaceID" in answer.stderr


def test_check_loads_nothing_heavy_and_takes_less_than_a_second(show: Path):
    code = (
        f"import sys; sys.argv = ['sdstream', 'check', {str(show)!r}]\nfrom sdstream.cli import main\n"
        f"try: main()\nexcept SystemExit: pass\nprint([name for name in {HEAVY} if name in sys.modules])"
    )
    before = os.times()  # CPU time: on a busy machine the clock on the wall says nothing
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    spent = os.times()
    assert answer.stdout.splitlines()[-1] == "[]"
    assert spent.children_user + spent.children_system - before.children_user - before.children_system < 1


def test_the_effective_configuration_can_be_read_again(sdstream: Sdstream, tmp_path: Path):
    file = tmp_path / "plain.yaml"
    file.write_text("version: 1\nsource: {kind: testsrc}\nsinks: [{kind: discard}]\n")
    assert loads(sdstream("check", "--all", str(file)).out, "again").source.kind == "testsrc"


def test_a_diff_says_what_each_change_does_on_air(sdstream: Sdstream, tmp_path: Path):
    old, new = tmp_path / "old.yaml", tmp_path / "new.yaml"
    old.write_text("version: 1\nsource: {kind: testsrc}\nengine: {kind: passthrough}\nsinks: [{kind: discard}]\n")
    new.write_text(old.read_text() + "canvas: {width: 640}\ncontrols: {guidance: {scale: 3}}\n")
    answer = sdstream("check", str(new), "--diff", str(old))
    assert answer.out.splitlines() == [
        "canvas.width: waits for the next start",
        "controls.guidance.scale: changes with the next picture",
    ]
    assert sdstream("check", str(new), "--diff", str(new)).out == "no change\n"
    changes = json.loads(sdstream("check", str(new), "--diff", str(old), "--json").out)["changes"]
    assert changes[0] == {"setting": "canvas.width", "effect": "next_start"}
