"""Whenever no publisher is shown, the server says why."""

import re

import pytest
from structlog.testing import capture_logs

from sdstream.sources.rtmp_server.chunks import AUDIO, VIDEO
from sdstream.sources.rtmp_server.events import Media
from sdstream.sources.rtmp_server.publication import Publication
from tests.harness.wait import until
from tests.sources.rtmp_server.local_settings import KEY
from tests.sources.rtmp_server.open_server import BAD, HEADER, PICTURE, published, server
from tests.sources.rtmp_server.rtmp_client import Client, media, metadata

CONFIGURATION, DELTA, SOUND = b"\x17\0\0\0\0avcC", b"\x27\1\0\0\0delta", b"\xaf\1sound"


@pytest.mark.parametrize(
    ("messages", "why"),
    [
        ([], "neither picture nor sound has come yet"),
        ([(AUDIO, SOUND)], "sound comes, and no picture"),
        ([(VIDEO, b"\x96\1avc1\1other")], "nothing comes in picture track 0, and something in other tracks"),
        ([(VIDEO, b"\x90xyz9config")], "the picture's codec is xyz9; expected H.264, HEVC, AV1 or VP9"),
        ([(VIDEO, b"\x91\xff\0a\x1bconfig")], r"the picture's codec is \\xff.*; expected"),
        ([(VIDEO, b"\x18\1\0\0\0")], "the picture's codec is number 8; expected"),
        (
            [(VIDEO, b"\x17\1\0\0\0key")],
            "the configuration of the H.264 pictures",
        ),
        ([(VIDEO, b"\x91hvc1key")], "the configuration of the hvc1 pictures"),
        ([(VIDEO, CONFIGURATION), (VIDEO, DELTA)], "no key frame has come yet"),
        ([(VIDEO, CONFIGURATION), (VIDEO, b"\x17\1\0\0\0key")], "$"),
        ([(VIDEO, b"\x12key")], "$"),
    ],
)
def test_a_publication_says_what_is_missing(messages, why):
    publication = Publication()
    for kind, payload in messages:
        publication.feed(Media(kind, 0, payload), 0.0, wanted=False)
    assert re.match(why, publication.why())


def test_from_nobody_to_a_picture_each_reason_has_its_turn():
    with server() as (port, says):
        says("no publisher is connected")
        with Client(port) as client:
            assert client.publish("live", "wrong") == BAD
        says("no publisher is connected; the last peer was turned away: wrong stream key")
        with published(port) as client:
            says("neither picture nor sound has come yet")
            client.socket.sendall(metadata(videocodecid=7.0) + media(AUDIO, 0, SOUND))
            says("sound comes, and no picture")
            client.socket.sendall(HEADER + media(VIDEO, 0, DELTA))
            says("no key frame has come yet")
            client.socket.sendall(PICTURE)
            says("")
            says("the publisher has sent nothing for")
        says("no publisher is connected")


def test_a_reason_that_lasts_is_logged_once():
    with capture_logs() as logs, server() as (port, _), published(port) as client:
        assert client
        until(lambda: told(logs), 8, "the log")
    assert told(logs) == ["neither picture nor sound has come yet"]


def told(logs):
    return [log["reason"] for log in logs if log["event"] == "publisher is not shown"]


def test_no_reason_quotes_a_key():
    with server() as (port, says):
        for app, key in (("live", "rtmp://host/other/canary"), (f"canary/{KEY}", ""), ("live", "canary")):
            with Client(port) as client:
                assert client.publish(app, key) == BAD
        says("turned away")
    with pytest.raises(AssertionError), server() as (_, says):
        says("canary")


def test_a_login_that_is_missing_is_a_reason():
    with server(user="ann", password="s3cret") as (port, says), Client(port) as client:
        client.ask("live", KEY)
        says("was asked for user and password")


def test_a_login_of_another_kind_is_a_reason_of_its_own():
    with server(user="ann", password="s3cret") as (port, says), Client(port) as client:
        client.ask("live?authmod=llnw&user=ann", KEY)
        says("the login authmod=llnw is not taken; expected authmod=adobe")
