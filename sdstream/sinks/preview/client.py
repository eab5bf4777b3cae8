"""The connection of a browser: reads a single request, sends a single answer, and never blocks.

h11 parses HTTP without touching sockets. A web server with an event loop would need a thread, outside the clock of the
sink and outside the control of the supervisor.
"""

import socket
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

import h11

from sdstream.sinks.preview.pictures import View

REQUEST_TIMEOUT = 5.0
"""Seconds from the connection to the end of the request."""
STALL_TIMEOUT = 10.0
"""Seconds without a byte sent, until a client that does not read the answer is dropped."""
CLOSE_TIMEOUT = 1.0
"""Seconds from the end of the answer until the connection is closed, so that the client can read the answer."""
_CHUNK = 64 * 1024
_LONGEST_REQUEST = 8 * 1024
_SOCKET_BUFFER = 256 * 1024  # bytes; small, because pictures waiting in the socket are late
_BOUNDARY = b"picture"
_HEADERS = {
    "Connection": "close",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; img-src 'self' data:; connect-src 'self'; "
    "style-src 'unsafe-inline'; script-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",  # no foreign web site may embed our pictures
    "Referrer-Policy": "no-referrer",  # the address may hold a key
    "X-Content-Type-Options": "nosniff",
}


class Gone(Exception):
    """The client disconnected, or is dropped; caught in `Server`."""


@dataclass(frozen=True, slots=True)
class Request:
    """The request of a client."""

    method: str
    path: str
    """Path without the query."""
    host: str
    """Value of the header `Host`; "" without the header, as in HTTP/1.0."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a request: a body, or pictures without end."""

    status: HTTPStatus
    kind: str = "text/plain; charset=utf-8"
    body: bytes = b""
    mjpeg: View | None = None
    """The view to send as MJPEG, in place of a body."""
    location: str = ""
    """The path to ask for instead, with a status of redirection."""


class Client:
    """The connection of a client, from the first byte to the last; times are monotonic seconds."""

    def __init__(self, connection: socket.socket, answer: Callable[[Request], Answer], now: float) -> None:
        connection.setblocking(False)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SOCKET_BUFFER)
        self._connection, self._answer = connection, answer
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=_LONGEST_REQUEST)
        self._unsent = bytearray()
        self._connected_at = self._progress_at = now
        self._ended_at: float | None = None
        self._answered = False
        self.mjpeg: View | None = None
        """The view to send as MJPEG; None for a request with a body as answer."""

    @property
    def busy(self) -> bool:
        """True while a request is being answered."""
        return self._answered and self._ended_at is None

    def serve(self, now: float) -> None:
        """Read and write without blocking. Raises Gone when the client disconnected, or after a timeout."""
        data = self._receive()
        if not self._answered:
            self._read_request(data, now)
        elif data == b"" and (self.mjpeg or self._ended_at is not None):
            raise Gone
        self._flush(now)
        if self._ended_at is not None and now - self._ended_at > CLOSE_TIMEOUT:
            raise Gone

    def show(self, jpeg: bytes, now: float) -> None:
        """Send a picture, unless the last picture is still unsent: a slow client gets fewer pictures. Raises Gone."""
        if self._unsent:
            return
        # The boundary follows at once, because a browser shows a picture after the next boundary.
        head = b"Content-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(jpeg)
        self._enqueue(h11.Data(head + jpeg + b"\r\n--" + _BOUNDARY + b"\r\n"))
        self._flush(now)

    def close(self) -> None:
        """Close the connection at once; closing twice is harmless."""
        self._connection.close()

    def _receive(self) -> bytes | None:
        """Return the received bytes: None for nothing yet, b"" at the end of input. Raises Gone after an error."""
        try:
            return self._connection.recv(_CHUNK)
        except BlockingIOError:
            return None
        except OSError as error:
            raise Gone from error

    def _read_request(self, data: bytes | None, now: float) -> None:
        """Parse a part of the request, and answer a request that is complete, invalid or overdue."""
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
        elif now - self._connected_at > REQUEST_TIMEOUT:
            self._respond(Answer(HTTPStatus.REQUEST_TIMEOUT, body=b"no complete request arrived in time\n"), "GET")

    def _respond(self, answer: Answer, method: str) -> None:
        self._answered = True
        self.mjpeg = answer.mjpeg if method != "HEAD" else None
        kind = f"multipart/x-mixed-replace; boundary={_BOUNDARY.decode()}" if answer.mjpeg else answer.kind
        headers = [*_HEADERS.items(), ("Content-Type", kind)]
        if not answer.mjpeg:
            headers.append(("Content-Length", str(len(answer.body))))
        if answer.location:
            headers.append(("Location", answer.location))
        if answer.status == HTTPStatus.METHOD_NOT_ALLOWED:
            headers.append(("Allow", "GET, HEAD"))
        self._enqueue(h11.Response(status_code=answer.status, headers=headers, reason=answer.status.phrase.encode()))
        if self.mjpeg:
            self._enqueue(h11.Data(b"--" + _BOUNDARY + b"\r\n"))
            return
        if answer.body and method != "HEAD":
            self._enqueue(h11.Data(answer.body))
        self._enqueue(h11.EndOfMessage())

    def _enqueue(self, event: h11.Event) -> None:
        self._unsent += self._http.send(event) or b""

    def _flush(self, now: float) -> None:
        try:
            while self._unsent:
                del self._unsent[: self._connection.send(self._unsent)]
                self._progress_at = now
            if self._answered and not self.mjpeg and self._ended_at is None:
                # A full close may reset the connection, and the client would lose the end of the answer.
                self._connection.shutdown(socket.SHUT_WR)
                self._ended_at = now
        except BlockingIOError:
            if now - self._progress_at > STALL_TIMEOUT:
                raise Gone from None
        except OSError as error:
            raise Gone from error
