"""One browser's connection: reads one request, sends one answer, and never waits.

HTTP itself is h11's, which knows no socket: a web server with a loop of its own would need a thread, and would be
stopped by neither the clock of the sink nor its supervisor.
"""

import socket
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

import h11

from sdstream.sinks.preview.pictures import View

ASKING = 5.0
"""Seconds that a client may take to say what it wants."""
PATIENCE = 10.0
"""Seconds without progress after which a client that does not fetch its answer is left."""
LEAVING = 1.0
"""Seconds that a client has to hear the end of its answer."""
_PIECE = 64 * 1024
_LONGEST_REQUEST = 8 * 1024
_SOCKET_BUFFER = 256 * 1024  # bytes: pictures that wait in a socket are late pictures
_BOUNDARY = b"picture"
_HEADERS = {
    "Connection": "close",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; img-src 'self' data:; connect-src 'self'; "
    "style-src 'unsafe-inline'; script-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",  # no other site may show our pictures as its own
    "Referrer-Policy": "no-referrer",  # the address may hold a key
    "X-Content-Type-Options": "nosniff",
}


class Gone(Exception):
    """The client has left, or is to be left; it means nothing to anybody else."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a client wants."""

    method: str
    path: str
    """Without what comes after a question mark."""
    host: str
    """As the client calls us; "" from a client of HTTP/1.0 that calls us nothing."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What it gets: a body, or one picture after the other."""

    status: HTTPStatus
    kind: str = "text/plain; charset=utf-8"
    body: bytes = b""
    follow: View | None = None


class Client:
    """One connection, from its first byte to its last; times are monotonic seconds."""

    def __init__(self, connection: socket.socket, answer: Callable[[Request], Answer], now: float) -> None:
        connection.setblocking(False)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SOCKET_BUFFER)
        self._connection, self._answer = connection, answer
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=_LONGEST_REQUEST)
        self._out = bytearray()
        self._came = self._moved = now
        self._left: float | None = None
        self._asked = False
        self.follows: View | None = None
        """The pictures that it waits for."""

    @property
    def matters(self) -> bool:
        """False for one that has asked for nothing yet, and for one that has all that it asked for."""
        return self._asked and self._left is None

    def turn(self, now: float) -> None:
        """Do what can be done at once. Raises Gone."""
        data = self._receive()
        if not self._asked:
            self._hear(data, now)
        elif data == b"" and (self.follows or self._left is not None):
            raise Gone
        self._send(now)
        if self._left is not None and now - self._left > LEAVING:
            raise Gone

    def show(self, jpeg: bytes, now: float) -> None:
        """Send the next picture, unless one is still on its way: a slow client gets fewer. Raises Gone."""
        if self._out:
            return
        # The boundary comes right behind the picture: browsers show it only then.
        head = b"Content-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(jpeg)
        self._say(h11.Data(head + jpeg + b"\r\n--" + _BOUNDARY + b"\r\n"))
        self._send(now)

    def close(self) -> None:
        """Leave at once; closing twice is harmless."""
        self._connection.close()

    def _receive(self) -> bytes | None:
        """Return what has come: None for nothing yet, b"" when no more will come."""
        try:
            return self._connection.recv(_PIECE)
        except BlockingIOError:
            return None
        except OSError as error:
            raise Gone from error

    def _hear(self, data: bytes | None, now: float) -> None:
        """Take in a part of the request, and answer when it is whole, wrong or overdue."""
        try:
            if data is not None:
                self._http.receive_data(data)
            event = self._http.next_event()
        except h11.RemoteProtocolError as error:
            status = HTTPStatus(error.error_status_hint)
            self._respond(Answer(status, body=f"{error}\n".encode()), "GET")
            return
        if isinstance(event, h11.Request):
            host = next((value for name, value in event.headers if name == b"host"), b"")
            path = event.target.partition(b"?")[0]
            request = Request(*(part.decode("latin-1") for part in (event.method, path, host)))
            self._respond(self._answer(request), request.method)
        elif isinstance(event, h11.ConnectionClosed):
            raise Gone
        elif now - self._came > ASKING:
            self._respond(Answer(HTTPStatus.REQUEST_TIMEOUT, body=b"the request did not come\n"), "GET")

    def _respond(self, answer: Answer, method: str) -> None:
        self._asked = True
        self.follows = answer.follow if method != "HEAD" else None
        kind = f"multipart/x-mixed-replace; boundary={_BOUNDARY.decode()}" if answer.follow else answer.kind
        headers = [*_HEADERS.items(), ("Content-Type", kind)]
        if not answer.follow:
            headers.append(("Content-Length", str(len(answer.body))))
        if answer.status == HTTPStatus.METHOD_NOT_ALLOWED:
            headers.append(("Allow", "GET, HEAD"))
        self._say(h11.Response(status_code=answer.status, headers=headers, reason=answer.status.phrase.encode()))
        if self.follows:
            self._say(h11.Data(b"--" + _BOUNDARY + b"\r\n"))
            return
        if answer.body and method != "HEAD":
            self._say(h11.Data(answer.body))
        self._say(h11.EndOfMessage())

    def _say(self, event: h11.Event) -> None:
        self._out += self._http.send(event) or b""

    def _send(self, now: float) -> None:
        try:
            while self._out:
                del self._out[: self._connection.send(self._out)]
                self._moved = now
            if self._asked and not self.follows and self._left is None:
                self._connection.shutdown(socket.SHUT_WR)  # and hear it out: a reset would take back what was sent
                self._left = now
        except BlockingIOError:
            if now - self._moved > PATIENCE:
                raise Gone from None
        except OSError as error:
            raise Gone from error
