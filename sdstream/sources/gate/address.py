"""The gate's two doors: the public port for publishers, and a loopback port where the source fetches publications."""

import errno
import secrets
import socket
from dataclasses import dataclass, field

from sdstream.config.sources import AnySource, RtmpSourceSettings
from sdstream.errors import Forbidden, Unavailable

LOOPBACK = "127.0.0.1"
_BACKLOG = 128


@dataclass(frozen=True, slots=True)
class GateAddress:
    """The private side of the gate."""

    port: int
    """TCP port on 127.0.0.1."""
    token: bytes = field(repr=False)
    """32 random bytes, to be sent first."""


@dataclass(frozen=True, slots=True)
class Gate:
    """Both doors, listening. The supervisor owns them, so the ports stay bound whatever process dies."""

    public: socket.socket
    private: socket.socket
    settings: RtmpSourceSettings
    address: GateAddress

    @property
    def arguments(self) -> tuple[socket.socket, socket.socket, RtmpSourceSettings, bytes]:
        """What `run_gate` takes after its context."""
        return self.public, self.private, self.settings, self.address.token

    def close(self) -> None:
        """Give the ports back; closing twice is harmless."""
        self.public.close()
        self.private.close()


def open_gate(settings: AnySource) -> Gate | None:
    """Bind both doors; None if `settings` do not ask for a gate. That an open door has a key, they have checked.

    Raises Unavailable if the port is taken, Forbidden if it is a privileged one.
    """
    if not isinstance(settings, RtmpSourceSettings) or settings.listen is None:
        return None
    host, _, port = settings.listen.rpartition(":")
    private = socket.create_server((LOOPBACK, 0), backlog=_BACKLOG)
    address = GateAddress(private.getsockname()[1], secrets.token_bytes(32))
    try:
        public = _bind(host.strip("[]"), int(port))
    except OSError as error:
        private.close()
        if error.errno == errno.EACCES:
            raise Forbidden(f"source.listen: port {port} needs privileges; ports from 1024 on do not") from error
        taken = "another program has it" if error.errno == errno.EADDRINUSE else error.strerror
        raise Unavailable(f"source.listen: cannot listen on {settings.listen}: {taken}; choose another port") from error
    return Gate(public, private, settings, address)


def _bind(host: str, port: int) -> socket.socket:
    """Listen on `host`. A name must mean what we checked: localhost is taken by number."""
    host = LOOPBACK if host.lower() == "localhost" else host
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=_BACKLOG)
