"""A connection at the public port, and the log of the peers that were turned away."""

import asyncio
import contextlib
import socket
import ssl
import time

from sdstream.log import get_logger
from sdstream.sources.rtmp_server.admission.key_guard import network_of
from sdstream.sources.rtmp_server.admission.waiting_room import Standing
from sdstream.sources.rtmp_server.amf0 import ProtocolError
from sdstream.sources.rtmp_server.protocol import RtmpSession

_BUFFER = 64 * 1024
_MOST_UNREAD = 256 * 1024  # bytes of answers that a peer does not read
_CLOSE_TIMEOUT = 1.0


class _Incoming(asyncio.StreamReader):
    """A reader that knows of the peer's end before the last bytes are read."""

    ended = False

    def feed_eof(self) -> None:
        self.ended = True
        super().feed_eof()


class Peer:
    """The connection, the session, and the server's knowledge of the peer."""

    def __init__(self, connection: socket.socket, address: tuple[object, ...], session: RtmpSession) -> None:
        """Own `connection`; `address` is the address of the peer, as from `accept`."""
        host, port, *_ = address or ("?", 0)
        self.session = session
        self.name = f"{host}:{port}"
        self.connected = self.heard = time.monotonic()
        """When the peer connected, and when the last bytes came (monotonic seconds)."""
        self.standing = Standing(network_of(str(host)), self.heard)
        self.let_in = self.heard
        """When the peer became the publisher (monotonic seconds)."""
        self.told = ""
        """Why the publisher is not shown, as the log has told."""
        self.refused = ""
        """Why the peer has to go; empty while the peer may stay."""
        self._connection = connection
        self._reader = _Incoming(_BUFFER)
        self._writer: asyncio.StreamWriter | None = None

    @property
    def gone(self) -> bool:
        """Whether the peer has ended the connection."""
        return self._writer is None or self._reader.ended or self._writer.is_closing()

    async def open(self, tls: ssl.SSLContext | None) -> None:
        """Begin to read, after TLS's handshake if `tls` is given. Raises OSError (also for TLS's errors)."""
        loop = asyncio.get_running_loop()
        protocol = asyncio.StreamReaderProtocol(self._reader)
        transport, _ = await loop.connect_accepted_socket(lambda: protocol, self._connection, ssl=tls)
        self._writer = asyncio.StreamWriter(transport, protocol, self._reader, loop)

    async def read(self, count: int) -> bytes:
        """Return 1 to `count` bytes, none at the end. Raises OSError."""
        return await self._reader.read(count)

    def flush(self) -> None:
        """Send the session's answers. Raises ProtocolError if the peer does not read."""
        answers = self.session.outgoing()
        if self._writer is None or self._writer.is_closing() or not answers:
            return
        self._writer.write(answers)
        if self._writer.transport.get_write_buffer_size() > _MOST_UNREAD:
            raise ProtocolError(f"RTMP: the peer has left more than {_MOST_UNREAD} bytes of answers unread")

    async def hear_out(self) -> None:
        """Wait for a moment until the peer has received the last answers. Raises OSError or TimeoutError."""
        if self._writer is None:
            return
        async with asyncio.timeout(_CLOSE_TIMEOUT):
            await self._writer.drain()
            if self._writer.can_write_eof():
                self._writer.write_eof()
            while await self._reader.read(_BUFFER):
                pass

    def abort(self) -> None:
        """End the connection at once, and wake up whoever waits for the peer; ending twice is harmless."""
        if self._writer is not None:
            self._writer.transport.abort()
        else:
            with contextlib.suppress(OSError):
                self._connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Free the socket; only when nobody waits for the peer any more. Closing twice is harmless."""
        self.abort()
        if self._writer is None:
            self._connection.close()


class Refusals:
    """Logs refused peers, at most once a second, because a port scan must not fill a disk."""

    def __init__(self) -> None:
        self._next = 0.0
        self._silent = 0

    def note(self, peer: str, reason: str) -> None:
        """Log a peer that was turned away, or count the peer."""
        now = time.monotonic()
        if now < self._next:
            self._silent += 1
            return
        get_logger().warning("peer turned away", peer=peer, reason=reason, not_mentioned=self._silent)
        self._next, self._silent = now + 1, 0
