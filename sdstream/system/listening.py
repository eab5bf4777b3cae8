"""A listening socket at the address of a setting, or the reason why there can be none; and a port that is free."""

import errno
import socket

from sdstream.errors import Forbidden, Unavailable

LOOPBACK = "127.0.0.1"
BACKLOG = 128
"""Connections that the system holds for us until we take them."""


def listen_at(address: str, setting: str) -> socket.socket:
    """Listen at `address` (`host:port`), which stands in the configuration as `setting`.

    A name must mean what was checked: localhost is taken by number. Raises Unavailable if the port is taken, Forbidden
    if it is a privileged one.
    """
    host, _, port = address.rpartition(":")
    host = LOOPBACK if host.lower() == "localhost" else host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, int(port)), family=family, backlog=BACKLOG)
    except OSError as error:
        if error.errno == errno.EACCES:
            raise Forbidden(f"{setting}: port {port} needs privileges; ports from 1024 on do not") from error
        taken = "another program has it" if error.errno == errno.EADDRINUSE else error.strerror
        raise Unavailable(f"{setting}: cannot listen on {address}: {taken}; choose another port") from error


def free_port() -> int:
    """Return a loopback TCP port that no program has now; another program may take the port at any time."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])
