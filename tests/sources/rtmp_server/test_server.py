"""The RTMP server at real sockets: publishers are let in or refused, and the source gets the publication."""

import contextlib
import gc
import select
import socket

import pytest
from structlog.testing import capture_logs

from sdstream.config.sources import RtmpSourceSettings
from sdstream.sources.rtmp_server.address import OLD
from sdstream.sources.rtmp_server.chunks import VIDEO
from tests.harness.wait import until
from tests.sources.rtmp_server.local_settings import KEY, listen
from tests.sources.rtmp_server.open_server import (
    BAD,
    HEADER,
    PICTURE,
    START,
    begins,
    opened,
    read_to_the_end,
    source_of,
)
from tests.sources.rtmp_server.rtmp_client import Client, media, metadata
from tests.sources.source_stage import running_rtmp_server


def test_the_right_key_is_let_in():
    with opened() as (port, _), Client(port) as client:
        assert client.publish("live", KEY) == START


@pytest.mark.parametrize("key", [f"{KEY}?bandwidthtest=true", KEY])
def test_parameters_after_the_key_do_no_harm(key):
    with opened() as (port, _), Client(port) as client:
        assert client.publish("live", key) == START


@pytest.mark.parametrize(
    ("app", "key"), [("live", "wrong"), ("live", ""), ("dead", KEY), ("live", KEY + "x"), ("", KEY)]
)
def test_a_wrong_key_or_application_is_refused_and_disconnected(app, key):
    with opened() as (port, _), Client(port) as client:
        assert client.publish(app, key) == BAD
        client.socket.shutdown(socket.SHUT_WR)
        assert client.closed()


def test_no_key_given_by_anybody_is_ever_logged():
    with capture_logs() as logs, opened() as (port, _):
        for key in (KEY, "guess-77aa"):
            with Client(port) as client:
                client.publish("live", key)
    assert len(logs) >= 2
    assert KEY not in str(logs)
    assert "guess-77aa" not in str(logs)


def test_without_a_key_any_name_is_let_in_on_loopback():
    with opened(key=None) as (port, _), Client(port) as client:
        assert client.publish("live", "anything") == START


def test_a_publisher_that_falls_silent_for_too_long_is_dropped():
    with opened(read_timeout=0.3) as (port, address), source_of(address) as private, Client(port) as client:
        assert client.publish("live", KEY) == START
        client.socket.sendall(metadata(videocodecid=7.0) + HEADER + PICTURE)
        assert client.closed()
        assert read_to_the_end(private)[OLD.size :].startswith(b"FLV")


@pytest.mark.parametrize(
    ("more", "seconds"),
    [
        ({"listen": "127.0.0.1:1935"}, 60),
        ({"listen": "127.0.0.1:1935", "read_timeout": 5}, 5),
        ({"url": "rtmp://localhost/live/x"}, 10),
        ({"url": "rtmp://localhost/live/x", "read_timeout": 5}, 5),
    ],
)
def test_a_publisher_may_be_silent_for_longer_than_a_server(more, seconds):
    assert RtmpSourceSettings(kind="rtmp", **more).silence == seconds


def test_the_source_hears_of_a_publication_that_ends():
    with opened() as (port, address), source_of(address) as private:
        with Client(port) as client:
            assert client.publish("live", KEY) == START
            client.socket.sendall(metadata(videocodecid=7.0) + HEADER + PICTURE)
            assert begins(private) == b"FLV"
        read_to_the_end(private)


def test_a_source_that_comes_late_need_not_wait_for_another_key_frame():
    with opened() as (port, address), Client(port) as client:
        assert client.publish("live", KEY) == START
        client.socket.sendall(metadata(videocodecid=7.0) + HEADER + PICTURE)
        with source_of(address) as private:
            until(lambda: sent_and_heard(client, private), 10, "the held key frame", every=0.01)


def sent_and_heard(client, private):
    """Send a picture that is no key frame; tell whether the source has got anything."""
    client.socket.sendall(media(VIDEO, 40, b"\x27\1\0\0\0delta"))
    return select.select([private], [], [], 0.05)[0] and begins(private) == b"FLV"


def test_the_private_port_opens_for_the_token_only():
    with opened() as (_, address), socket.create_connection(("127.0.0.1", address.port), timeout=10) as stranger:
        stranger.sendall(bytes(len(address.token)))
        assert stranger.recv(1) == b""


def test_a_new_source_takes_the_old_ones_place():
    with opened() as (_, address), source_of(address) as old, source_of(address):
        assert old.recv(1) == b""


def test_a_reader_that_does_not_read_costs_bounded_memory_and_no_publisher():
    with capture_logs() as logs, opened() as (port, address), source_of(address):
        with Client(port) as client:
            assert client.publish("live", KEY) == START
            client.socket.sendall(metadata(videocodecid=7.0) + HEADER + PICTURE)
            for stamp in range(400):
                client.socket.sendall(media(VIDEO, stamp, b"\x27\1\0\0\0" + bytes(50_000)))
        until(lambda: [log for log in logs if log["event"] == "publisher gone"], 10, "the end")
    (gone,) = [log for log in logs if log["event"] == "publisher gone"]
    assert gone["skipped"] > 100


def test_another_track_can_be_chosen():
    head, picture = media(VIDEO, 0, b"\x96\0avc1\1avcC"), media(VIDEO, 0, b"\x96\1avc1\1small")
    with opened(video_track=1) as (port, address), source_of(address) as private, Client(port) as client:
        assert client.publish("live", KEY) == START
        client.socket.sendall(metadata(videocodecid=7.0) + HEADER + PICTURE + head + picture)
        client.socket.shutdown(socket.SHUT_WR)
        got = read_to_the_end(private)
    assert b"\x91avc1small" in got
    assert b"\x17\1" not in got


def test_other_tracks_are_told_once():
    other = media(VIDEO, 0, b"\x96\1avc1\1small")
    with capture_logs() as logs, opened() as (port, _):
        with Client(port) as client:
            assert client.publish("live", KEY) == START
            client.socket.sendall(other * 3)
        until(lambda: [log for log in logs if log["event"] == "publisher gone"], 10, "the end")
    assert sum("other tracks" in log["event"] for log in logs) == 1


def test_the_server_ends_quietly_with_everybody_still_there(caplog):
    settings = listen()
    with contextlib.ExitStack() as guests:
        with running_rtmp_server(settings) as address:
            port = int(settings.listen.rpartition(":")[2])
            publisher, idle = guests.enter_context(Client(port)), guests.enter_context(Client(port))
            guests.enter_context(source_of(address))
            assert publisher.publish("live", KEY) == START
        assert publisher.closed()
        assert idle.closed()
    gc.collect()
    assert caplog.records == []
