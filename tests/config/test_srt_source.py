"""What an SRT source may be: listening or calling, with a passphrase where others can reach the port."""

from typing import Any

import pytest
from pydantic import ValidationError

from sdstream.cli.needs import needs
from sdstream.config.load import loads
from sdstream.config.sources import SrtSourceSettings

PHRASE = "c0rrect-h0rse"


def settings(**more: Any) -> SrtSourceSettings:
    return SrtSourceSettings.model_validate({"kind": "srt", **more})


@pytest.mark.parametrize(
    ("given", "options"),
    [
        ({"listen": "127.0.0.1:9000"}, {"mode": "listener", "latency": "120000"}),
        (
            {"listen": "[::]:9000", "passphrase": PHRASE, "latency": 0.5},
            {"mode": "listener", "latency": "500000", "passphrase": PHRASE},
        ),
        (
            {"url": "srt://a:9000?streamid=%23!::r=live/x,m=request&mode=caller", "passphrase": PHRASE},
            {"mode": "caller", "latency": "120000", "passphrase": PHRASE, "streamid": "#!::r=live/x,m=request"},
        ),
        (
            {"url": f"srt://a:9000?passphrase={PHRASE}&pbkeylen=32", "streamid": "a?b&c"},
            {"mode": "caller", "latency": "120000", "passphrase": PHRASE, "pbkeylen": "32", "streamid": "a?b&c"},
        ),
    ],
)
def test_the_options_for_ffmpeg(given: dict[str, Any], options: dict[str, str]) -> None:
    assert settings(**given).options == options


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "either `listen`"),
        ({"listen": "127.0.0.1:1", "url": "srt://a:1"}, "either `listen`"),
        ({"listen": "0.0.0.0:9000"}, "needs a `passphrase`, because other machines can reach"),
        ({"listen": "127.0.0.1:1", "streamid": "x"}, "`streamid` is for a server that is called"),
        ({"listen": "127.0.0.1:1", "passphrase": "short"}, "should have 10 to 79 characters"),
        ({"listen": "127.0.0.1:1", "passphrase": "two lines\nof text"}, "no line breaks"),
        ({"url": "srt://a:1?passphrase=short"}, "should have 10 to 79 characters"),
        ({"url": "srt://a:1?mode=listener"}, "write `listen: HOST:PORT` in place of `url`"),
        ({"url": "srt://a:1?latency=120"}, "write `latency: 0.12`, in seconds"),
        ({"url": "srt://a:1?maxbw=1"}, "remove the rest"),
        ({"url": f"srt://a:1?passphrase={PHRASE}", "passphrase": PHRASE}, "not twice"),
        ({"url": "srt://a"}, "should read srt://HOST:PORT"),
        ({"url": "rtmp://a:1/live"}, "should read srt://HOST:PORT"),
        ({"url": "srt://me:secret@a:1"}, "should read srt://HOST:PORT"),
    ],
)
def test_what_cannot_be_is_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        settings(**given)


def test_check_says_what_the_source_needs_and_no_secret() -> None:
    source = "source: {kind: srt, url: 'srt://a:1?streamid=hidden-one'}"
    show = f"{{version: 1, {source}, engine: {{kind: passthrough}}, sinks: [{{kind: discard}}]}}"
    told = str(next(iter(needs(loads(show, "show.yaml", (), {})))))
    assert "the ffmpeg program, and the SRT sender srt://a:1" in told
    assert "hidden-one" not in told
