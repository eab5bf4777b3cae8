"""Opens a listening socket at the address of a setting, and finds a free port."""

import errno
import socket
from ipaddress import ip_address

from sdstream.errors import Forbidden, Unavailable

LOOPBACK = "127.0.0.1"
BACKLOG = 128
"""Connections that may wait in the system until we accept."""


def listen_at(address: str, setting: str) -> socket.socket:
    """Listen at `address` (`host:port`), the value of `setting` in the configuration.

    `localhost` becomes 127.0.0.1: the configuration was checked for that address, and a name may resolve differently.
    Raises Unavailable if the port is taken, Forbidden if the port is privileged.
    """
    host, _, port = address.rpartition(":")
    host = LOOPBACK if host.lower() == "localhost" else host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, int(port)), family=family, backlog=BACKLOG)
    except OSError as error:
        if error.errno == errno.EACCES:
            raise Forbidden(f"{setting}: port {port} needs privileges; choose a port from 1024 to 65535") from error
        taken = "another program has it" if error.errno == errno.EADDRINUSE else error.strerror
        raise Unavailable(f"{setting}: cannot listen on {address}: {taken}; choose another port") from error


def free_port() -> int:
    """Return a free TCP port on the loopback address; any program may take the port at any time."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def is_address(host: str) -> bool:
    """Tell whether `host` (host:port) is an IP address, localhost, or ""; browsers never send ""."""
    name = host[: host.rfind("]") + 1] if host.startswith("[") else host.partition(":")[0]
    if name.lower() in ("", "localhost"):
        return True
    try:
        ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
