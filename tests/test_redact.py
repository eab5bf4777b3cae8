"""Stream keys and passwords are hidden in URLs and in messages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdstream.redact import hide, hide_url, mask_url, redact, shown, shown_value

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


def test_a_hidden_secret_is_stars_wherever_it_appears():
    hide("canary-4711 a/b")
    assert shown("x canary-4711 a/b, canary-4711%20a%2Fb, xcanary-4711 a/bx") == "x ***, ***, x***x"


@pytest.mark.parametrize("secret", ["", "a", "abc"])
def test_a_secret_under_four_characters_is_left_alone(secret):
    hide(secret)
    assert shown("abc a") == "abc a"


def test_a_short_secret_hides_whole_words_only():
    hide("live")
    assert shown("delivered live") == "delivered ***"


def test_a_hidden_url_hides_its_key_and_password_but_not_the_name_of_the_user():
    hide_url("rtmp://source:pass-word@host/app/the-key?bandwidthtest=true&token=tok-4711")
    assert shown("source true pass-word the-key tok-4711") == "source true *** *** ***"


def test_the_escapes_of_a_terminal_are_shown_as_text():
    assert shown("a\x1b[2Jb\x9bc\r\td\n") == "a\\x1b[2Jb\\x9bc\\x0d\td\n"


def test_secrets_are_found_inside_values():
    hide("canary-4711")
    value = {"a": ["canary-4711", ("x/canary-4711",)], "b": ValueError("canary-4711"), "c": 1, "d": None}
    assert shown_value(value) == {"a": ["***", ("x/***",)], "b": "ValueError('***')", "c": 1, "d": None}


@pytest.mark.parametrize("url", ["http://[x:canary@h/x", "rtmp://u:canary℀@h/a/k"])
def test_a_url_that_cannot_be_parsed_is_hidden_whole(url):
    hide_url(url)
    assert shown(f"cannot open {url}") == "cannot open ***"
    assert mask_url(url) == "***"
    assert redact(f"cannot open {url}", url) == "cannot open ***"
