"""Serves a bounded number of clients from within the loop of a sink: each turn does what can be done at once."""

import contextlib
import socket
from collections.abc import Callable, Iterator

from sdstream.sinks.preview.client import Answer, Client, Gone, Request
from sdstream.sinks.preview.pictures import View

_FULL = b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"


class Server:
    """A listening socket and its clients; it owns them. Whoever is slow harms nobody else."""

    def __init__(self, listener: socket.socket, most: int, answer: Callable[[Request], Answer]) -> None:
        """At most `most` clients are served at once; `answer` says what each gets."""
        listener.setblocking(False)
        self._listener, self._most, self._answer = listener, most, answer
        self._clients: list[Client] = []

    def __len__(self) -> int:
        return len(self._clients)

    @property
    def followed(self) -> set[View]:
        """The views whose next picture somebody waits for."""
        return {client.follows for client in self._clients if client.follows}

    def turn(self, now: float) -> None:
        """Let clients in, hear them, and send them what they can take; never waits."""
        for _ in range(self._most):  # no flood of connections keeps us from the next picture
            try:
                connection, _ = self._listener.accept()
            except OSError:  # nobody there, or gone again, or no file left for it: the next turn tries again
                break
            self._admit(connection, now)
        for client in tuple(self._clients):
            with self._unless_gone(client):
                client.turn(now)

    def show(self, view: View, jpeg: bytes, now: float) -> None:
        """Send a picture to all who follow this view."""
        for client in tuple(self._clients):
            if client.follows == view:
                with self._unless_gone(client):
                    client.show(jpeg, now)

    def close(self) -> None:
        """Send everybody away, and stop listening; closing twice is harmless."""
        self._listener.close()
        for client in self._clients:
            client.close()
        self._clients.clear()

    def _admit(self, connection: socket.socket, now: float) -> None:
        """Take a client in. When all places are taken, the oldest that has not said what it wants makes room."""
        if len(self._clients) >= self._most:
            idle = next((client for client in self._clients if not client.matters), None)
            if idle is None:
                with contextlib.suppress(OSError):  # it is sent away in any case
                    connection.setblocking(False)
                    connection.send(_FULL)
                    connection.recv(8192)  # unread, it would make the system take back what we sent
                connection.close()
                return
            self._drop(idle)
        self._clients.append(Client(connection, self._answer, now))

    @contextlib.contextmanager
    def _unless_gone(self, client: Client) -> Iterator[None]:
        try:
            yield
        except Gone:
            self._drop(client)

    def _drop(self, client: Client) -> None:
        client.close()
        self._clients.remove(client)
