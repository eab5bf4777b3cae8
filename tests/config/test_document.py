"""The pages that are written from the settings are current and true."""

import json
from pathlib import Path

import pytest

from sdstream.config.load import loads, schema_paths
from sdstream.config.printing.document import effective, effective_yaml, schema, schema_text
from sdstream.config.printing.reference import reference

ROOT = Path(__file__).parents[2]
WRITTEN = "is not current: run scripts/docs"


def test_the_schema_in_configs_is_current():
    assert (ROOT / "configs/schema.json").read_text(encoding="utf-8") == schema_text(), f"schema {WRITTEN}"


def test_the_reference_page_is_current():
    assert (ROOT / "docs/configuration.md").read_text(encoding="utf-8") == reference(), f"page {WRITTEN}"


def test_every_setting_is_explained():
    whole = schema()
    parts = [whole, *whole["$defs"].values()]
    bare = [
        f"{part['title']}.{name}"
        for part in parts
        for name, field in part.get("properties", {}).items()
        if "description" not in field and "$ref" not in field
    ]
    assert not bare


def test_the_schema_lets_an_editor_know_the_kinds_and_the_written_bitrates():
    sinks = schema()["properties"]["sinks"]["items"]
    assert {"virtualcam", "ndi", "ffmpeg", "twitch", "file", "discard"} < set(sinks["discriminator"]["mapping"])
    bitrate = schema()["$defs"]["FfmpegSinkSettings"]["properties"]["bitrate"]
    assert {branch["type"] for branch in bitrate["anyOf"]} == {"integer", "string"}


def test_the_effective_configuration_is_a_configuration():
    text = "version: 1\nsource: {kind: ffmpeg, url: clip.mp4}\nsinks: [{kind: ndi}, {kind: discard}]\n"
    once = loads(text, "f", (), {})
    assert loads(effective_yaml(once), "effective", (), {}) == once


def test_the_effective_configuration_is_plain_data():
    config = loads("version: 1\nsource: {kind: testsrc}\nsinks: [{kind: discard}]\n", "f", (), {})
    assert "!!" not in effective_yaml(config)


@pytest.mark.parametrize(
    ("path", "data", "secret"),
    [
        (("source", "key"), {"source": {"kind": "rtmp"}}, True),
        (("source", "url"), {"source": {"kind": "ndi"}}, False),
        (("source", "url"), {"source": {"kind": "ffmpeg"}}, True),
        (("source", "url"), {"source": {"kind": "unknown"}}, True),
        (("sinks", 1, "url"), {"sinks": [{"kind": "ndi"}, {"kind": "ffmpeg"}]}, True),
        (("controls", "prompt"), {}, False),
        (("nowhere",), {}, False),
    ],
)
def test_secrets_are_known_by_their_place(path: tuple[str | int, ...], data: object, secret: bool):
    assert schema_paths().is_secret(path, data) is secret


def test_the_schema_is_json_of_a_fixed_order():
    assert json.loads(schema_text())["$defs"].keys() == schema()["$defs"].keys()
    assert schema_text() == schema_text()


def test_a_value_from_the_environment_is_stars_in_any_part_of_a_url():
    text = 'version: 1\nsource: {kind: ffmpeg, url: "http://h/live/${KEY}/x.ts"}\nsinks: [{kind: discard}]\n'
    config = loads(text, "show.yaml", environment={"KEY": "canary-4711"})
    assert effective(config)["source"]["url"] == "http://h/***"
