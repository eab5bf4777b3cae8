"""The connection of a viewer: a request, an answer without end, and no waiting."""

import socket
from collections.abc import Callable

from sdstream.sinks.serve.stream import PACKET, entry

REQUEST_WITHIN = 5.0
"""Seconds from the connection to the end of the request."""
STALLED_AFTER = 10.0
"""Seconds without a byte taken, until a viewer is disconnected."""
MOST_WAITING = 1024 * 1024
"""Bytes that wait for a viewer; with more, the viewer is left behind, and goes on at the next key frame."""
_SOCKET_BUFFER = 128 * 1024  # bytes; small, because pictures waiting in the socket are late
_LONGEST_REQUEST = 8192
_HEAD = b"HTTP/1.1 %s\r\nConnection: close\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"


class Gone(Exception):
    """The viewer disconnected, or is dropped; caught in `ServeSink`."""


class Viewer:
    """A viewer; times are monotonic seconds."""

    def __init__(self, connection: socket.socket, refusal: Callable[[str, str], str], now: float) -> None:
        """`refusal` returns why a path (asked of a host) is not served, as an HTTP status; "" when served."""
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SOCKET_BUFFER)
        self._connection, self._refusal = connection, refusal
        self._request = bytearray()
        self._unsent = bytearray()
        self._sent = 0  # bytes of the stream, to cut between transport packets
        self._connected_at = self._progress_at = now
        self._accepted = self._refused = False
        self._behind = True
        self.left_behind = 0
        """How often the viewer was too slow."""

    @property
    def watching(self) -> bool:
        """Whether the viewer is served."""
        return self._accepted

    def serve(self, data: bytes, now: float) -> None:
        """Read the request, and send the stream. Raises Gone when the viewer disconnected, or after a timeout."""
        try:
            self._read(now)
            if self._accepted:
                self._add(data)
            self._send(now)
        except OSError as error:
            raise Gone from error

    def close(self) -> None:
        """Close the connection; closing twice is harmless."""
        self._connection.close()

    def _read(self, now: float) -> None:
        try:
            received = self._connection.recv(_LONGEST_REQUEST)
        except BlockingIOError:
            if not self._accepted and now - self._connected_at > REQUEST_WITHIN:
                raise Gone from None
            return
        if not received:
            raise Gone
        if self._accepted or self._refused:
            return
        self._request += received
        if b"\r\n\r\n" in self._request:
            self._answer(self._request.decode("latin-1"), now)
        elif len(self._request) > _LONGEST_REQUEST:
            raise Gone

    def _answer(self, request: str, now: float) -> None:
        line, *headers = request.partition("\r\n\r\n")[0].split("\r\n")
        method, path, *_ = [*line.split(" "), "", ""]
        host = next((text.partition(":")[2].strip() for text in headers if text.lower().startswith("host:")), "")
        refusal = "405 Method Not Allowed" if method not in ("GET", "HEAD") else self._refusal(path, host)
        self._progress_at = now
        if refusal:
            self._unsent += _HEAD % refusal.encode() + b"Content-Length: 0\r\n\r\n"
        else:
            self._unsent += _HEAD % b"200 OK" + b"Content-Type: video/mp2t\r\n\r\n"
        self._accepted = not refusal and method == "GET"
        self._refused = not self._accepted
        self._sent = -len(self._unsent)

    def _add(self, data: bytes) -> None:
        if self._behind:
            begin = entry(data)
            if begin is None:
                return
            data, self._behind = data[begin:], False
        self._unsent += data
        if len(self._unsent) > MOST_WAITING:
            rest = -self._sent % PACKET if self._sent > 0 else max(0, -self._sent)  # a started packet, or the head
            del self._unsent[rest:]
            self._behind = True
            self.left_behind += 1

    def _send(self, now: float) -> None:
        try:
            while self._unsent:
                count = self._connection.send(self._unsent)
                del self._unsent[:count]
                self._sent += count
                self._progress_at = now
            if self._refused:
                raise Gone
        except BlockingIOError:
            if now - self._progress_at > STALLED_AFTER:
                raise Gone from None
