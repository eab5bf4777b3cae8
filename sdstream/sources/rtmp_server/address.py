"""The gate's two doors: the public port for publishers, and a loopback port where the source fetches publications."""

import secrets
import socket
from dataclasses import dataclass, field

from sdstream.config.sources import AnySource, RtmpSourceSettings
from sdstream.errors import SdstreamError
from sdstream.system.listening import BACKLOG, LOOPBACK, listen_at


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
    private = socket.create_server((LOOPBACK, 0), backlog=BACKLOG)
    address = GateAddress(private.getsockname()[1], secrets.token_bytes(32))
    try:
        public = listen_at(settings.listen, "source.listen")
    except SdstreamError:
        private.close()
        raise
    return Gate(public, private, settings, address)
