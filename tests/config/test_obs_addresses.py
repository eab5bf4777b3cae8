"""What the page and `run` tell people to type into OBS, without any secret."""

from typing import Any

import pytest
from pydantic import TypeAdapter

from sdstream.config.printing.obs import from_sink, to_source
from sdstream.config.sinks import AnySink
from sdstream.config.sources import AnySource

SECRET = "a-secret-of-the-test"


@pytest.mark.parametrize(
    ("settings", "typed"),
    [
        (
            {"kind": "rtmp", "listen": "127.0.0.1:1935"},
            "Stream: Custom, Server rtmp://127.0.0.1:1935/live, Stream Key: any",
        ),
        (
            {"kind": "rtmp", "listen": "0.0.0.0:1935", "app": "show", "key": SECRET},
            "Stream: Custom, Server rtmp://THIS-MACHINE:1935/show, Stream Key: the value of source.key",
        ),
        ({"kind": "srt", "listen": "127.0.0.1:9710"}, "Stream: Custom, Server srt://127.0.0.1:9710"),
        ({"kind": "rtmp", "url": f"rtmp://example.invalid/live/{SECRET}"}, ""),
        ({"kind": "testsrc"}, ""),
    ],
)
def test_a_source_that_waits_for_obs_says_what_to_type(settings: dict[str, Any], typed: str) -> None:
    assert to_source(TypeAdapter[Any](AnySource).validate_python(settings)) == typed


@pytest.mark.parametrize(
    ("settings", "port", "typed"),
    [
        ({"kind": "virtualcam", "device": "show"}, 0, "Video Capture Device: show"),
        ({"kind": "virtualcam"}, 0, "Video Capture Device: the virtual camera"),
        ({"kind": "ndi", "name": "show"}, 0, "NDI Source: show"),
        ({"kind": "serve"}, 0, "Media Source: http://127.0.0.1:8401/show.ts"),
        ({"kind": "serve", "listen": "127.0.0.1:0"}, 4711, "Media Source: http://127.0.0.1:4711/show.ts"),
        (
            {"kind": "serve", "listen": "[::]:8401", "key": SECRET},
            0,
            "Media Source: http://THIS-MACHINE:8401/KEY/show.ts",
        ),
        ({"kind": "preview", "key": SECRET}, 0, "http://127.0.0.1:8400/KEY/"),
        ({"kind": "rtmp", "url": "rtmp://127.0.0.1/live", "key": SECRET}, 0, "rtmp://127.0.0.1/live/***"),
        ({"kind": "discard"}, 0, ""),
    ],
)
def test_a_sink_says_where_the_show_is_to_be_had(settings: dict[str, Any], port: int, typed: str) -> None:
    assert from_sink(TypeAdapter[Any](AnySink).validate_python(settings), port) == typed
