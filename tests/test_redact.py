"""Stream keys and passwords are hidden in URLs and in messages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdstream.redact import mask_url, redact

KEY = st.text("abcdefghijklmnopqrstuvwxyz0123456789_-", min_size=9, max_size=40)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("rtmp://live.twitch.tv/app/live_1_abc", "rtmp://live.twitch.tv/app/***"),
        ("rtmp://h:1935/app/inst/key?bandwidthtest=true", "rtmp://h:1935/app/***?***"),
        ("rtmps://user:word@host/app/key", "rtmps://***@host/app/***"),
        ("rtmp://host/app", "rtmp://host/app"),
        ("http://user:word@host/a/b.ts?token=abc", "http://***@host/a/b.ts?***"),
        ("/home/me/show.mp4", "/home/me/show.mp4"),
        ("show?.mp4", "show?.mp4"),
    ],
)
def test_a_url_is_shown_without_what_could_be_a_secret(url, shown):
    assert mask_url(url) == shown


@given(KEY)
def test_a_stream_key_never_stays_in_a_message_of_ffmpeg(key):
    url = f"rtmp://user:{key}@host:1935/app/{key}?token={key}"
    texts = [url, f"'{key}'", f"publish {key}: refused", f"/app/{key}?token={key}", f"key={key}."]
    assert all(key not in redact(f"error: {text} !", url) for text in texts)


def test_text_without_a_secret_stays_readable():
    assert redact("Connection refused: app", "rtmp://h/app/on") == "Connection refused: app"


def test_escaped_keys_are_found_unescaped_too():
    assert redact("no stream a b/c here", "rtmp://h/app/a%20b%2Fc") == "no stream *** here"
