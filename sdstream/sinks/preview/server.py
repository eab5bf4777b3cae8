"""Serves a bounded number of clients inside the loop of a sink, without blocking."""

import contextlib
import socket
from collections.abc import Callable, Iterator

from sdstream.sinks.preview.client import Answer, Client, Gone, Request
from sdstream.sinks.preview.pictures import View

_FULL = b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"


class Server:
    """Owns a listening socket and all clients. A slow client delays neither the sink nor the rest of the clients."""

    def __init__(self, listener: socket.socket, limit: int, answer: Callable[[Request], Answer]) -> None:
        """At most `limit` clients are served at once; `answer` returns the answer to a request."""
        listener.setblocking(False)
        self._listener, self._limit, self._answer = listener, limit, answer
        self._clients: list[Client] = []

    def __len__(self) -> int:
        return len(self._clients)

    @property
    def mjpeg_views(self) -> set[View]:
        """The views sent as MJPEG to a client."""
        return {client.mjpeg for client in self._clients if client.mjpeg}

    def serve(self, now: float) -> None:
        """Accept clients, read requests and send answers, without blocking."""
        for _ in range(self._limit):  # bounded, so that a flood of connections cannot delay the next picture
            try:
                connection, _ = self._listener.accept()
            except OSError:  # no client waits, the client left, or no descriptor is free: the next call tries again
                break
            self._admit(connection, now)
        for client in tuple(self._clients):
            with self._drop_if_gone(client):
                client.serve(now)

    def show(self, view: View, jpeg: bytes, now: float) -> None:
        """Send a picture to all clients of the MJPEG of `view`."""
        for client in tuple(self._clients):
            if client.mjpeg == view:
                with self._drop_if_gone(client):
                    client.show(jpeg, now)

    def close(self) -> None:
        """Close all connections, and stop listening; closing twice is harmless."""
        self._listener.close()
        for client in self._clients:
            client.close()
        self._clients.clear()

    def _admit(self, connection: socket.socket, now: float) -> None:
        """Admit a client.

        At the limit, the oldest client without a request in progress is dropped first; if all are busy, the new client
        is refused.
        """
        if len(self._clients) >= self._limit:
            idle = next((client for client in self._clients if not client.busy), None)
            if idle is None:
                with contextlib.suppress(OSError):  # the client is refused in any case
                    connection.setblocking(False)
                    connection.send(_FULL)
                    connection.recv(8192)  # unread input would reset the connection, and lose the answer
                connection.close()
                return
            self._drop(idle)
        self._clients.append(Client(connection, self._answer, now))

    @contextlib.contextmanager
    def _drop_if_gone(self, client: Client) -> Iterator[None]:
        try:
            yield
        except Gone:
            self._drop(client)

    def _drop(self, client: Client) -> None:
        client.close()
        self._clients.remove(client)
