"""Requests of a stage to the supervisor, and the replies: whole datagrams, so that a killed process leaves no half.

A stream would hold the supervisor for ever after a process killed in the middle of a message.
"""

import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

LARGEST = 128 * 1024
"""Bytes of a request or a reply at most."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request of a stage."""

    number: int
    """The reply carries the same number."""
    name: str
    body: Any
    """JSON."""


class Requests:
    """A pair of sockets; may be sent to a spawned process. The supervisor owns both ends, so each new process of the
    stage goes on with the same pair."""

    def __init__(self) -> None:
        """Open the pair. Raises OSError when no descriptor is free."""
        self._supervisor, self._stage = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        for end in (self._supervisor, self._stage):
            end.setblocking(False)
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * LARGEST)

    def fileno(self) -> int:
        """Return the supervisor's descriptor: `multiprocessing.connection.wait` wakes up at a request."""
        return self._supervisor.fileno()

    def take(self, most: int) -> Iterator[Request]:
        """Return up to `most` waiting requests, without blocking; a datagram that is no request is dropped."""
        for _ in range(most):
            try:
                number, name, body = json.loads(self._supervisor.recv(LARGEST))
                request = Request(int(number), str(name), body)
            except BlockingIOError:
                return
            except (ValueError, TypeError):
                continue
            yield request

    def reply(self, request: Request, body: object) -> bool:
        """Answer without blocking; return False when the stage reads no replies, and the reply is dropped."""
        try:
            self._supervisor.send(_packed(request.number, request.name, body))
        except (BlockingIOError, ConnectionError):
            return False
        return True

    def ask(self, request: Request) -> None:
        """Send a request, from the stage. Raises ValueError for a request above `LARGEST` bytes, BlockingIOError when
        the supervisor is behind by too many requests."""
        data = _packed(request.number, request.name, request.body)
        if len(data) > LARGEST:
            raise ValueError(f"a request of {len(data)} bytes; {LARGEST} is the most")
        self._stage.send(data)

    @property
    def replies(self) -> socket.socket:
        """The stage's end, non-blocking, for an event loop to wait at."""
        return self._stage

    def received(self) -> tuple[int, Any] | None:
        """Return the number and the body of a waiting reply, in the stage; None when no reply waits."""
        try:
            number, _, body = json.loads(self._stage.recv(LARGEST))
        except BlockingIOError:
            return None
        return int(number), body

    def close(self) -> None:
        """Close both ends; closing twice is harmless."""
        self._supervisor.close()
        self._stage.close()


def _packed(number: int, name: str, body: object) -> bytes:
    return json.dumps([number, name, body], separators=(",", ":")).encode()
