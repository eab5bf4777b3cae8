"""The short kinds of sink are FFmpeg's settings in other words."""

from typing import Any

import pytest
from pydantic import TypeAdapter

from sdstream.config.load import loads
from sdstream.config.outputs import EncodingSink
from sdstream.config.sinks import AnySink
from sdstream.errors import ConfigError

SHOW = "{version: 1, source: {kind: testsrc}, engine: {kind: passthrough}, sinks: ["


def in_full(**settings: Any) -> dict[str, Any]:
    """Return what a short kind changes of the defaults of `ffmpeg`, with the URL to be seen."""
    sink = TypeAdapter(AnySink).validate_python(settings)
    assert isinstance(sink, EncodingSink)
    full = sink.in_full()
    changed = full.model_dump(exclude_defaults=True)
    return changed | {"url": full.url.get_secret_value()}


@pytest.mark.parametrize(
    ("short", "full"),
    [
        ({"kind": "twitch", "key": "live_1"}, {"url": "rtmp://live.twitch.tv/app/live_1"}),
        ({"kind": "twitch", "key": "a?bandwidthtest=true"}, {"url": "rtmp://live.twitch.tv/app/a?bandwidthtest=true"}),
        ({"kind": "youtube", "key": "ab-cd"}, {"url": "rtmp://a.rtmp.youtube.com/live2/ab-cd"}),
        ({"kind": "rtmp", "url": "rtmp://a/live/", "key": "k1"}, {"url": "rtmp://a/live/k1"}),
        ({"kind": "rtmp", "url": "rtmps://a/live/k1"}, {"url": "rtmps://a/live/k1"}),
        ({"kind": "srt", "url": "srt://a:1"}, {"url": "srt://a:1?latency=120000"}),
        (
            {"kind": "srt", "url": "srt://a:1?mode=listener", "passphrase": "a b&c=d+e%f", "latency": 0.5},
            {"url": "srt://a:1?mode=listener&latency=500000&passphrase=a%20b%26c%3Dd%2Be%25f"},
        ),
        ({"kind": "file", "path": "show.mp4", "bitrate": "6M"}, {"url": "show.mp4", "bitrate": 6_000_000}),
        (
            {"kind": "twitch", "key": "k1", "optional": True, "record": "a.mkv", "keyframe_interval": 1},
            {"url": "rtmp://live.twitch.tv/app/k1", "optional": True, "record": "a.mkv", "keyframe_interval": 1.0},
        ),
    ],
)
def test_a_short_kind_is_written_in_full_as_ffmpeg(short: dict[str, Any], full: dict[str, Any]) -> None:
    assert in_full(**short) == {"kind": "ffmpeg", **full}


def test_ffmpeg_is_in_full_already() -> None:
    assert in_full(kind="ffmpeg", url="a.mkv") == {"kind": "ffmpeg", "url": "a.mkv"}


@pytest.mark.parametrize(
    ("sinks", "said"),
    [
        (
            "{kind: file, path: a.mkv}, {kind: ffmpeg, url: ./a.mkv}",
            "sinks.1.url: each output needs a place of its own",
        ),
        ("{kind: ffmpeg, url: a.mkv}, {kind: file, path: a.mkv}", "sinks.1.path: each output needs a place of its own"),
        ("{kind: serve}, {kind: preview, listen: 127.0.0.1:8401}", "sinks.1.listen: 127.0.0.1:8401: sinks.0 listens"),
        ("{kind: twitch, key: abc1}, {kind: twitch, key: abc1}", "sinks.1.key: each output needs a place of its own"),
        (
            "{kind: file, path: a.mkv}, {kind: twitch, key: abc1, record: a.mkv}",
            "sinks.1.record: a recording needs a file",
        ),
    ],
)
def test_two_outputs_with_one_place_are_refused(sinks: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loads(SHOW + sinks + "]}", "f")
    assert said in str(caught.value)
    assert "abc1" not in str(caught.value)


def test_a_key_never_stands_in_an_error() -> None:
    with pytest.raises(ConfigError) as caught:
        loads(SHOW + '{kind: twitch, key: "s3cret-key with-space"}]}', "f")
    assert "s3cret" not in str(caught.value)
