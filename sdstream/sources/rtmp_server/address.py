"""The server's two ports: the public port for publishers, and a loopback port for the source."""

import secrets
import socket
import struct
from dataclasses import dataclass, field

from sdstream.config.sources import AnySource, RtmpSourceSettings
from sdstream.errors import SdstreamError
from sdstream.ipc.live_text import LiveText
from sdstream.sources.rtmp_server.admission.tls import server_tls
from sdstream.system.listening import BACKLOG, LOOPBACK, listen_at

OLD = struct.Struct(">I")
"""Before each file for the source: the number of bytes at the start of the file that had come long before."""
WHY_BYTES = 512
"""Bytes for the reason why no publisher is shown."""


@dataclass(frozen=True, slots=True)
class RtmpServerAddress:
    """The address for the source."""

    port: int
    """TCP port on 127.0.0.1."""
    token: bytes = field(repr=False)
    """32 random bytes; the source sends the token first."""


@dataclass(frozen=True, slots=True)
class RtmpServer:
    """The two listening sockets. The supervisor owns the sockets, so the ports stay bound when a process dies."""

    public: socket.socket
    """For publishers."""
    private: socket.socket
    """On loopback, for the source."""
    settings: RtmpSourceSettings
    address: RtmpServerAddress
    why: LiveText
    """Why no publisher is shown; empty if nothing is known to be missing. Written by the server's process."""

    @property
    def arguments(self) -> tuple[socket.socket, socket.socket, RtmpSourceSettings, bytes, LiveText]:
        """The arguments of `run_rtmp_server` after the context."""
        return self.public, self.private, self.settings, self.address.token, self.why

    def close(self) -> None:
        """Free the ports; closing twice is harmless."""
        self.public.close()
        self.private.close()


def open_rtmp_server(settings: AnySource, before: RtmpServer | None = None) -> RtmpServer | None:
    """Bind both ports; return None for settings without `listen`.

    A server `before` at the same address hands on the public port, which stays open, and may then be closed.

    The settings have checked that a port beyond loopback has a key. Raises Unavailable if the port is taken or the
    certificate cannot be used, Forbidden if the port is privileged or the certificate cannot be read.
    """
    if not isinstance(settings, RtmpSourceSettings) or settings.listen is None:
        return None
    server_tls(settings)
    private = socket.create_server((LOOPBACK, 0), backlog=BACKLOG)
    address = RtmpServerAddress(private.getsockname()[1], secrets.token_bytes(32))
    try:
        same = before is not None and before.settings.listen == settings.listen
        public = before.public.dup() if before and same else listen_at(settings.listen, "source.listen")
    except SdstreamError:
        private.close()
        raise
    return RtmpServer(public, private, settings, address, LiveText(WHY_BYTES))
