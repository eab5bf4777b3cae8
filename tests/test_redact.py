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
        ("rtmp://host/app", "rtmp://host/***"),
        ("rtmp://host//key", "rtmp://host/***"),
        ("rtmp:host/app/key", "rtmp:host/app/***"),
        ("rtmp://h/app/key live=1 pageUrl=secret", "rtmp://h/app/***?***"),
        ("rtmp://u:wo#rd@host/app/key", "rtmp://***"),
        ("rtmp://u:wo/rd@host/app/key", "rtmp://***"),
        ("http://user:word@host/a/b.ts?token=abc", "http://***@host/***?***"),
        ("http://192.168.0.7:8080/key.ts", "http://192.168.0.7:8080/***"),
        ("rtsp://u:word@[fe80::1]:554/key", "rtsp://***@[fe80::1]:554/***"),
        ("srt://h:1?streamid=#!::r=key", "srt://h:1?***"),
        ("udp://@239.0.0.1:1234", "udp://***@239.0.0.1:1234"),
        ("whip:https://h/key", "whip:https://h/***"),
        ("async:http://u:word@h/a", "async:http://***@h/***"),
        ("concat:http://u:word@h/a|http://h/key", "concat:http://***@h/***"),
        ("tee:[f=flv]rtmp://h/app/key|out.mkv", "***"),
        ("subfile,,start,1,,:http://h/key", "***"),
        ("C:/show/x.mkv", "C:/show/x.mkv"),
        ("file:/show/x.mkv", "file:/show/x.mkv"),
        ("pipe:0", "pipe:0"),
        ("video=My Camera", "video=My Camera"),
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


@pytest.mark.parametrize("url", ["http://[x:canary-4711@h@/x", "http://[canary-4711", "rtmp://u:canary-4711#y@h/a/k"])
def test_a_url_with_a_host_that_cannot_be_told_from_the_password_is_hidden_whole(url):
    hide_url(url)
    assert shown(f"cannot open {url}") == "cannot open ***"
    assert mask_url(url) == f"{url.partition('//')[0]}//***"
    assert "canary" not in redact(f"cannot open {url}: canary-4711", url)


ADDRESS = st.text("ab:/?#@&=|% []℀é\x1b", max_size=12)


@given(ADDRESS, ADDRESS)
def test_a_key_at_the_end_of_any_address_is_never_shown(before: str, after: str):
    for scheme in ("rtmp", "http", "srt", "tee:rtmp", "crypto+https"):
        url = f"{scheme}://user:{before}@host/{after}/canary-4711"
        assert "canary" not in mask_url(url)
        assert "canary" not in redact(f"{url} canary-4711", url)


@pytest.mark.parametrize(
    "form", ["can/ary ä", "can%2Fary%20%C3%A4", "can%2fary%20%c3%a4", "can/ary%20%C3%A4", "can%2Fary+%C3%A4"]
)
def test_a_secret_is_hidden_in_every_way_to_escape_it(form: str):
    hide("can/ary ä")
    assert shown(f"x {form} y") == "x *** y"


def test_a_piece_of_a_path_of_any_scheme_is_hidden():
    hide_url("https://host/live/canary-4711/x.ts?a=tok-47111#fr-47111")
    assert shown("live canary-4711 tok-47111 fr-47111 host") == "live *** *** *** host"


def test_characters_that_are_not_to_be_seen_are_shown_as_text():
    assert shown("a\u202eb\u200bc\u2066") == "a\\u202eb\\u200bc\\u2066"
