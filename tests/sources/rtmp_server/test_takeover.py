"""The place of the publisher: who waits, who takes over, and who is refused."""

import contextlib
import threading
import time
from contextlib import contextmanager

import pytest
from structlog.testing import capture_logs

from sdstream.sources.rtmp_server.chunks import USER_CONTROL, Message, write_message
from tests.sources.rtmp_server.local_settings import KEY
from tests.sources.rtmp_server.open_server import (
    BAD,
    HEADER,
    PICTURE,
    START,
    attempt,
    begins,
    opened,
    server,
    source_of,
)
from tests.sources.rtmp_server.rtmp_client import Client, metadata


@contextmanager
def alive(client):
    """Let a client ping the server ten times a second."""
    ping = write_message(Message(USER_CONTROL, 0, b"\0\6\0\0\0\7"), 2, 128)
    over = threading.Event()

    def work():
        while not over.wait(0.1):
            client.socket.sendall(ping)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_a_second_publisher_is_refused_even_if_the_first_has_no_picture():
    with opened(stall=1.0) as (port, _), Client(port) as first:
        assert first.publish("live", KEY) == START
        with alive(first):
            time.sleep(1.1)
            assert attempt(port) == attempt(port, "127.0.0.2") == BAD


def test_a_second_publisher_takes_over_if_that_is_the_policy():
    with opened(second_publisher="takeover") as (port, _), Client(port) as first, Client(port) as second:
        assert first.publish("live", KEY) == START
        assert second.publish("live", KEY) == START
        assert first.closed()


@pytest.mark.parametrize(("host", "least", "most"), [("127.0.0.1", 0.8, 2.5), ("127.0.0.2", 2.7, 4.5)])
def test_a_second_publisher_waits_until_the_first_counts_as_stalled(host, least, most):
    with opened(stall=3.0) as (port, _), Client(port) as first:
        assert first.publish("live", KEY) == START
        began = time.monotonic()
        assert attempt(port, host) == START
        assert least < time.monotonic() - began < most
        assert first.closed()


def test_a_publisher_that_waits_for_the_place_is_told_in_log_and_status():
    with capture_logs() as logs, server(stall=6.0) as (port, says), Client(port) as first:
        assert first.publish("live", KEY) == START
        with Client(port, "127.0.0.2") as second:
            second.ask("live", KEY)
            says("a second publisher waits; the first has been silent for ")
            says("and goes after 6 s")
        says("the publisher has sent nothing for")
    assert [log["first"].rpartition(":")[0] for log in logs if log["event"] == "a second publisher waits"] == [
        "127.0.0.1"
    ]


def test_a_publisher_that_could_not_wait_any_longer_reads_for_what_it_waited():
    with server(stall=60.0, handshake_timeout=1.0) as (port, says), Client(port) as first:
        assert first.publish("live", KEY) == START
        assert attempt(port, "127.0.0.2") == BAD
        first.socket.close()
        says("a publisher is connected already; silent, but not yet for source.stall (60 s)")


def test_a_stalled_publisher_gives_way_to_the_right_key_only():
    with opened(stall=0.5) as (port, _), Client(port) as first:
        assert first.publish("live", KEY) == START
        time.sleep(0.6)
        assert attempt(port, "127.0.0.2", key="wrong") == BAD
        assert attempt(port, "127.0.0.2") == START
        assert first.closed()


def test_whoever_goes_while_waiting_for_the_place_takes_nothing_over():
    with opened(stall=0.5) as (port, _), Client(port) as first:
        assert first.publish("live", KEY) == START
        with Client(port, "127.0.0.2") as second:
            second.ask("live", KEY)
            time.sleep(0.1)
        time.sleep(0.6)
        first.socket.settimeout(0.3)
        with pytest.raises(TimeoutError):
            first.closed()


def test_of_two_that_wait_for_the_place_only_one_gets_in():
    with opened(stall=0.5) as (port, _), contextlib.ExitStack() as peers:
        first, *waiting = (peers.enter_context(Client(port, f"127.0.0.{number}")) for number in (1, 2, 3))
        assert first.publish("live", KEY) == START
        for client in waiting:
            client.ask("live", KEY)
        assert waiting[0].verdict() == START
        with alive(waiting[0]):
            assert waiting[1].verdict() == BAD


def test_a_publisher_that_has_reset_the_connection_frees_the_place():
    with opened() as (port, _), Client(port) as first:
        assert first.publish("live", KEY) == START
        first.reset()
        assert attempt(port, "127.0.0.2") == START


def test_a_wrong_key_takes_nothing_over():
    server = opened(second_publisher="takeover")
    with server as (port, address), source_of(address) as private, Client(port) as first, Client(port) as second:
        assert first.publish("live", KEY) == START
        assert second.publish("live", "wrong") == BAD
        first.socket.sendall(metadata(videocodecid=7.0) + HEADER + PICTURE)
        assert begins(private) == b"FLV"


def test_the_next_publisher_may_come_as_soon_as_the_last_has_gone():
    with opened() as (port, _):
        for _ in range(20):
            assert attempt(port) == START
