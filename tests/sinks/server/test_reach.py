"""Each way in which a server takes no stream has words of its own, and no way takes longer than the timeout."""

import contextlib
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sdstream.errors import Lost
from sdstream.sinks.server.reach import reach

KEY = "live_1_s3cret"


@contextlib.contextmanager
def server(talk: Callable[[socket.socket], object]) -> Iterator[int]:
    """Listen; `talk` gets each connection, which is closed afterwards. Yield the port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    with client, contextlib.suppress(OSError):
                        talk(client)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def received(client: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        data += client.recv(count - len(data))
    return data


def shake(client: socket.socket) -> None:
    """Answer as an RTMP server does."""
    client.sendall(b"\3" + bytes(1536) + received(client, 1537)[1:])
    client.recv(1)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for localhost that is its own authority, with the key in the same folder."""
    folder = tmp_path_factory.mktemp("tls")
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    files = ["-keyout", folder / "key.pem", "-out", folder / "certificate.pem"]
    kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    subprocess.run(["openssl", "req", *kind, *names, *files], check=True, capture_output=True)
    return folder / "certificate.pem"


def secured(certificate: Path, talk: Callable[[socket.socket], object]) -> Callable[[socket.socket], None]:
    """Return `talk` inside TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_name("key.pem"))

    def inside(client: socket.socket) -> None:
        with context.wrap_socket(client, server_side=True) as safe:
            talk(safe)

    return inside


def words(url: str, authorities: Path | None = None) -> str:
    began = time.monotonic()
    with pytest.raises(Lost) as caught:
        reach(url, 0.5, authorities)
    assert time.monotonic() - began < 2.5
    return str(caught.value)


def test_a_server_that_shakes_hands_is_reached() -> None:
    with server(shake) as port:
        reach(f"rtmp://127.0.0.1:{port}/app/{KEY}", 2, None)


def test_a_secure_server_with_a_known_authority_is_reached(authority: Path) -> None:
    with server(secured(authority, shake)) as port:
        reach(f"rtmps://localhost:{port}/app/{KEY}", 2, authority)


@pytest.mark.parametrize(
    "url", ["tcp://nosuch.invalid:1/x", "srt://nosuch.invalid:1", "rtmp:///app", "udp://239.0.0.1:9"]
)
def test_other_protocols_are_not_asked(url: str) -> None:
    reach(url, 0.5, None)


def test_a_name_that_does_not_resolve() -> None:
    assert "the name nosuch.invalid does not resolve" in words(f"rtmp://nosuch.invalid/app/{KEY}")


def test_a_server_that_refuses() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        assert f"127.0.0.1:{port} refused the connection" in words(f"rtmp://127.0.0.1:{port}/app/{KEY}")


@pytest.mark.parametrize(
    ("talk", "said"),
    [
        (lambda client: time.sleep(1.0), "accepted the connection, and said nothing within 0.5 s"),
        (lambda client: client.close(), "before a stream was named|broke the connection off"),
        (lambda client: client.sendall(b"\3" + bytes(100)) or received(client, 1537), "before a stream was named"),
        (lambda client: client.sendall(b"\3") or time.sleep(1.0), "said nothing within 0.5 s"),
        (lambda client: received(client, 1537) and client.sendall(b"HTTP/1.1 400"), "speaks no RTMP; write the port"),
        (lambda client: received(client, 1537) and client.sendall(b"\x15\3\3"), "speaks no RTMP; write rtmps://"),
    ],
    ids=["silent", "closes", "closes inside the handshake", "stops inside the handshake", "web server", "tls server"],
)
def test_a_server_that_is_no_rtmp_server(talk: Callable[[socket.socket], object], said: str) -> None:
    import re

    with server(talk) as port:
        assert re.search(said, words(f"rtmp://127.0.0.1:{port}/app/{KEY}"))


def test_a_certificate_that_nobody_vouches_for(authority: Path) -> None:
    with server(secured(authority, shake)) as port:
        assert "is not trusted (self-signed certificate)" in words(f"rtmps://localhost:{port}/app/{KEY}")


def test_a_certificate_for_another_name(authority: Path) -> None:
    with server(secured(authority, shake)) as port:
        said = words(f"rtmps://127.0.0.1:{port}/app/{KEY}", authority)
    assert "is not trusted (IP address mismatch" in said


@pytest.mark.parametrize(
    ("talk", "said"),
    [
        (lambda client: client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n") or client.recv(9), "speaks no TLS"),
        (lambda client: time.sleep(1.0), "is silent where TLS begins"),
        (lambda client: client.close(), "TLS"),
    ],
)
def test_a_plain_server_where_tls_is_expected(talk: Callable[[socket.socket], object], said: str) -> None:
    with server(talk) as port:
        text = words(f"rtmps://127.0.0.1:{port}/app/{KEY}")
    assert said in text
    assert "rtmp:// for a plain server" in text
