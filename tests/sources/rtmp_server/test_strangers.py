"""Strangers at the public port cost little, and keep nobody out."""

import contextlib
import gc
import os
import socket

import pytest
from structlog.testing import capture_logs

from sdstream.sources.rtmp_server.protocol import HANDSHAKE
from tests.sources.rtmp_server.local_settings import KEY
from tests.sources.rtmp_server.open_server import (
    START,
    opened,
    published,
)
from tests.sources.rtmp_server.rtmp_client import Client, ask, connect, hello


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\3\1\2\0\1\0\1\xfc\3\3",
        os.urandom(20_000),
        hello() + os.urandom(20_000),
    ],
    ids=["nothing", "zero", "http", "tls", "garbage", "garbage after a handshake"],
)
def test_a_hundred_strangers_do_not_keep_a_publisher_out(data):
    with opened() as (port, _):
        for _ in range(100):
            with Client(port) as stranger:
                stranger.socket.sendall(data)
        with Client(port) as client:
            assert client.publish("live", KEY) == START


@pytest.mark.parametrize("policy", ["refuse", "takeover"])
def test_an_evicted_peer_neither_gets_in_nor_throws_anybody_out(policy, caplog):
    """The right key of the evicted peer arrives in the same turn of the loop as the next peer."""
    with (
        opened(second_publisher=policy, max_pending=1, stall=60, handshake_timeout=0.3) as (port, _),
        contextlib.ExitStack() as peers,
    ):
        publisher = peers.enter_context(published(port))
        for _ in range(20):
            if ask_and_be_evicted(port) == START:
                assert publisher.closed()
                publisher = peers.enter_context(published(port))
        publisher.socket.settimeout(0.3)
        with pytest.raises(TimeoutError):
            publisher.closed()
    gc.collect()
    assert caplog.records == []


def ask_and_be_evicted(port):
    """Ask to publish just before another peer connects; return the verdict."""
    with Client(port, "127.0.0.2") as evicted, socket.socket() as newcomer:
        words = evicted.shake_hands() + connect() + ask(KEY)
        newcomer.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            newcomer.connect(("127.0.0.1", port))
        with contextlib.suppress(ConnectionError):
            evicted.socket.sendall(words)
        return evicted.told_or_closed()


@pytest.mark.parametrize("words", [b"", connect() + ask("wrong"), connect() + ask(KEY), b"\xff" * 9], ids=str)
def test_a_peer_that_has_gone_makes_no_traceback(words, caplog, capfd):
    with capture_logs() as logs, opened() as (port, _):
        for _ in range(50):
            with Client(port) as client:
                client.socket.sendall(hello() + bytes(HANDSHAKE) + words)
                client.reset()
        with Client(port) as client:
            assert client.publish("live", KEY) == START
    gc.collect()
    assert caplog.records == []
    assert "Traceback" not in "".join(capfd.readouterr())
    assert sum(log["event"] == "peer turned away" for log in logs) <= 3


def test_silent_peers_make_room_and_a_publisher_gets_in():
    with opened(max_pending=4) as (port, _), contextlib.ExitStack() as peers:
        idle = [peers.enter_context(Client(port)) for _ in range(20)]
        with Client(port) as client:
            assert client.publish("live", KEY) == START
        assert all(peer.closed() for peer in idle[:10])


def test_a_peer_that_takes_too_long_is_dropped():
    with opened(handshake_timeout=0.3) as (port, _), Client(port) as slow:
        slow.socket.sendall(hello()[:100])
        assert slow.closed()
