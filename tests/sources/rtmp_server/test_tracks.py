"""A track is found in every form of message with several tracks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdstream.sources.rtmp_server.chunks import AUDIO, VIDEO
from sdstream.sources.rtmp_server.events import Media
from sdstream.sources.rtmp_server.tracks import single_track


def sized(body):
    return len(body).to_bytes(3, "big") + body


MANY = b"\1" + sized(b"other") + b"\0" + sized(b"mine") + b"\2" + sized(b"")
MANY_CODECS = b"hvc1\1" + sized(b"other") + b"avc1\0" + sized(b"mine")
LONG_MODIFIER = b"\xff\x01\x2b" + bytes(300)


@pytest.mark.parametrize(
    ("kind", "payload", "expected"),
    [
        (VIDEO, b"\x17\1\0\0\0plain", b"\x17\1\0\0\0plain"),
        (AUDIO, b"\xaf\1plain", b"\xaf\1plain"),
        (VIDEO, b"\x91hvc1mine", b"\x91hvc1mine"),
        (VIDEO, b"\x96\1avc1\0mine", b"\x91avc1mine"),
        (VIDEO, b"\xa6\1avc1\0mine", b"\xa1avc1mine"),
        (AUDIO, b"\x95\0mp4a\0mine", b"\x90mp4amine"),
        (VIDEO, b"\x96\1avc1\1other", None),
        (AUDIO, b"\x95\1mp4a\1other", None),
        (VIDEO, b"\x96\x11avc1" + MANY, b"\x91avc1mine"),
        (VIDEO, b"\x96\x21" + MANY_CODECS, b"\x91avc1mine"),
        (AUDIO, b"\x95\x11mp4a\1" + sized(b"other"), None),
        (VIDEO, b"\x97\2\0\0\1\1hvc1mine", b"\x91hvc1mine"),
        (VIDEO, b"\x97\2\0\0\1\6\1avc1\0mine", b"\x91avc1mine"),
        (VIDEO, b"\x97" + LONG_MODIFIER + b"\1hvc1mine", b"\x91hvc1mine"),
        (AUDIO, b"\x97\2\0\0\1\5\1mp4a\1other", None),
        (VIDEO, b"\x96", None),
        (VIDEO, b"\x97\2\0", None),
        (VIDEO, b"\x96\x11avc1\0\0\0\x09cut", None),
    ],
)
def test_the_default_track_becomes_a_message_of_a_single_track(kind, payload, expected):
    track = single_track(Media(kind, 40, payload), 0)
    assert (track and track.payload) == expected
    assert track is None or (track.kind, track.timestamp) == (kind, 40)


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b"\x17\1\0\0\0plain", None),
        (b"\x91hvc1plain", None),
        (b"\x97\2\0\0\1\1hvc1plain", None),
        (b"\x96\1avc1\1mine", b"\x91avc1mine"),
        (b"\x96\x11avc1" + MANY, b"\x91avc1other"),
        (b"\x96\x21" + MANY_CODECS, b"\x91hvc1other"),
    ],
)
def test_another_track_can_be_asked_for(payload, expected):
    track = single_track(Media(VIDEO, 0, payload), 1)
    assert (track and track.payload) == expected


@given(st.sampled_from([AUDIO, VIDEO]), st.sampled_from(range(256)), st.binary(max_size=60), st.integers(0, 2))
def test_any_bytes_are_a_message_or_none(kind, first, rest, number):
    track = single_track(Media(kind, 0, bytes([first]) + rest), number)
    assert track is None or len(track.payload) <= 1 + len(rest)
