"""The key is found where people put it, and a wrong field is named."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdstream.sources.rtmp_server.admission.stream_name import is_key, stream_name

URL = "rtmp://studio.example:1935/live"


@pytest.mark.parametrize(
    ("app", "name"),
    [
        ("live", "key-1"),
        ("live", " key-1 "),
        ("live/_definst_", "key-1"),
        ("live", "key-1?bandwidthtest=true"),
        ("live/key-1", ""),
        ("live/key-1", "key-1"),
        ("live", f"{URL}/key-1"),
        ("live", "rtmps://[::1]/live/key-1"),
        ("live", "RTMP://HOST/live/key-1"),
        ("", f"{URL}/key-1"),
        ("", "live/key-1"),
        ("live", "live/key-1"),
        (URL, "key-1"),
        (f"{URL}/key-1", ""),
    ],
)
def test_the_key_is_found_in_every_field(app, name):
    given = stream_name(app, name, "live")
    assert not given.wrong
    assert is_key(given, "key-1", "live")


@pytest.mark.parametrize("key", ["a/b", "live/x", "rtmp", "k?x=1", "ключ"])
@pytest.mark.parametrize("app", ["live", "my/app", "/live/"])
def test_any_key_is_taken_as_it_is(app, key):
    given = stream_name(app.strip("/"), key, app)
    assert is_key(given, key, app)


def test_a_key_with_a_slash_may_be_split_by_the_program():
    assert is_key(stream_name("live/studio", "a", "live"), "studio/a", "live")


@pytest.mark.parametrize(
    ("app", "name", "wrong"),
    [
        ("", "key-1", "the server field lacks the application; expected rtmp://HOST:PORT/live"),
        ("", "", "the server field lacks the application"),
        ("app", "key-1", "the server field has another application"),
        ("livekey-1", "", "the server field has another application"),
        ("key-1", "", "the server field has another application"),
        ("live", "rtmp://host/other/key-1", "the key field has a URL"),
        ("live", "rtmp://host", "the key field has a URL"),
    ],
)
def test_a_wrong_field_is_named_and_nothing_of_it_is_quoted(app, name, wrong):
    given = stream_name(app, name, "live")
    assert given.wrong.startswith(wrong)
    assert "key-1" not in given.wrong


@pytest.mark.parametrize(
    ("app", "name"),
    [
        ("live", ""),
        ("live", "key"),
        ("live", "key-11"),
        ("live/key-2", ""),
        ("live", f"{URL}/key-2"),
        ("live/key", "1"),
    ],
)
def test_a_wrong_key_stays_wrong_in_every_field(app, name):
    assert not is_key(stream_name(app, name, "live"), "key-1", "live")


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_text_has_a_key_or_a_mistake(app, name):
    assert isinstance(
        is_key(
            stream_name(app, name, "live"), "no text of sixty characters is as long as this very key, never", "live"
        ),
        bool,
    )
