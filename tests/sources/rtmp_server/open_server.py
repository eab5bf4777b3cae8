"""An RTMP server at free ports, and its guests."""

import socket
from contextlib import contextmanager

from sdstream.sources.rtmp_server import open_rtmp_server
from sdstream.sources.rtmp_server.address import OLD
from sdstream.sources.rtmp_server.chunks import VIDEO
from tests.harness.wait import until
from tests.sources.rtmp_server.local_settings import KEY, listen
from tests.sources.rtmp_server.rtmp_client import Client, media
from tests.sources.source_stage import running_rtmp_server, serving

START, BAD = "NetStream.Publish.Start", "NetStream.Publish.BadName"


HEADER, PICTURE = media(VIDEO, 0, b"\x17\0\0\0\0avcC"), media(VIDEO, 0, b"\x17\1\0\0\0key")


@contextmanager
def opened(**more):
    """Run an RTMP server; give the public port and the private address."""
    settings = listen(**more)
    with running_rtmp_server(settings) as address:
        yield int(settings.listen.rpartition(":")[2]), address


@contextmanager
def server(**more):
    """Run an RTMP server; give the port, and a function that waits for a reason."""
    settings = listen(**more)
    opened = open_rtmp_server(settings)

    def says(words):
        until(lambda: words in opened.why.get()[1] or (not words and not opened.why.get()[1]), 6, words or "nothing")

    with serving(opened):
        yield int(settings.listen.rpartition(":")[2]), says


@contextmanager
def source_of(address):
    """Connect as the source does."""
    with socket.create_connection(("127.0.0.1", address.port), timeout=10) as private:
        private.sendall(address.token)
        yield private


def begins(private):
    """Return the first bytes of the file for the source."""
    return private.recv(OLD.size + 3)[OLD.size :]


def read_to_the_end(private):
    return b"".join(iter(lambda: private.recv(65536), b""))


def attempt(port, host="127.0.0.1", key=KEY):
    """Ask to publish from an address, and go; return the server's verdict."""
    with Client(port, host) as client:
        return client.publish("live", key)


def published(port):
    """Return a client that publishes."""
    client = Client(port)
    assert client.publish("live", KEY) == START
    return client
