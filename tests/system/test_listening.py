"""A port is free or taken."""

import socket

from sdstream.system.listening import LOOPBACK, free_port, listen_at


def test_a_free_port_can_be_listened_at() -> None:
    port = free_port()
    with listen_at(f"{LOOPBACK}:{port}", "source.listen") as server:
        assert server.getsockname() == (LOOPBACK, port)


def test_a_port_that_is_taken_is_not_free() -> None:
    with socket.create_server((LOOPBACK, 0)) as server:
        assert free_port() != server.getsockname()[1]
