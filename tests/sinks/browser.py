"""A browser as a preview meets it: whole requests over a real connection, and streams of pictures."""

import http.client
import io
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from PIL import Image


@dataclass
class Browser:
    """Asks one preview."""

    port: int
    host: str = "127.0.0.1"
    headers: dict[str, str] = field(default_factory=dict)

    def ask(self, path: str, method: str = "GET", **headers: str) -> tuple[http.client.HTTPResponse, bytes]:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=5)
        connection.request(method, path, headers={**self.headers, **headers})
        response = connection.getresponse()
        body = response.read()
        connection.close()
        return response, body

    def status_of(self, path: str, method: str = "GET", **headers: str) -> int:
        return self.ask(path, method, **headers)[0].status

    def picture(self, path: str) -> np.ndarray:
        response, body = self.ask(path)
        assert (response.status, response.getheader("Content-Type")) == (200, "image/jpeg")
        return decoded(body)

    @contextmanager
    def follow(self, path: str) -> Iterator[Iterator[np.ndarray]]:
        """Give the pictures of a stream as they come; leave it with the block."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=5)
        connection.request("GET", path, headers=self.headers)
        response = connection.getresponse()
        assert response.status == 200
        try:
            yield _parts(response)
        finally:
            response.close()
            connection.close()

    @staticmethod
    @contextmanager
    def taken() -> Iterator[int]:
        """Hold a port, so that nobody else can listen there."""
        with socket.create_server(("127.0.0.1", 0)) as held:
            yield int(held.getsockname()[1])

    def connect(self, said: bytes = b"") -> socket.socket:
        """Open a connection and say something on it."""
        connection = socket.create_connection((self.host, self.port), timeout=5)
        connection.sendall(said)
        return connection


def _parts(response: http.client.HTTPResponse) -> Iterator[np.ndarray]:
    kind, _, boundary = response.getheader("Content-Type").partition("; boundary=")
    assert kind == "multipart/x-mixed-replace"
    while True:
        assert response.readline().strip() == f"--{boundary}".encode()
        headers = http.client.parse_headers(response)
        assert headers["Content-Type"] == "image/jpeg"
        yield decoded(response.read(int(headers["Content-Length"])))
        assert response.readline() == b"\r\n"


def decoded(jpeg: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(jpeg)) as picture:
        assert picture.format == "JPEG"
        return np.asarray(picture.convert("RGB"))


def rest(connection: socket.socket) -> bytes:
    """Return what a connection still says, until it is closed."""
    said = bytearray()
    with connection:
        while piece := _heard(connection):
            said += piece
    return bytes(said)


def _heard(connection: socket.socket) -> bytes:
    try:
        return connection.recv(65536)
    except ConnectionResetError:
        return b""
