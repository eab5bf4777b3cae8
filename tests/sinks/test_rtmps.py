"""The RTMPS output talks to a server only if an authority vouches for the server."""

import contextlib
import shutil
import socket
import ssl
import subprocess
import threading

import av
import pytest

from sdstream.config.outputs import FfmpegSinkSettings
from sdstream.config.schema import Canvas
from sdstream.errors import Lost
from sdstream.sinks.context import SinkContext
from sdstream.sinks.ffmpeg import FfmpegSink

pytestmark = [
    pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl: sudo apt install openssl"),
]

CANVAS = Canvas(width=64, height=64, fps=30)
RTMP_VERSION = b"\3"  # the first byte that an RTMP client sends


class Server:
    """A TLS server that shakes hands with its first client, as RTMP does, and notes the second client's first byte.

    The first client is the check of the address, the second is FFmpeg.
    """

    def __init__(self, certificate, key):
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate, key)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(10)
        self.port = self._listener.getsockname()[1]
        self.first = b""
        self._thread = threading.Thread(target=self._serve)

    def _serve(self):
        for talk in (self._shake_hands, self._note):
            try:
                client, _ = self._listener.accept()
            except OSError:
                return  # the first client objected, and no second client comes
            with client:
                client.settimeout(10)
                with (
                    contextlib.suppress(OSError),  # a client that objects may just go
                    self._context.wrap_socket(client, server_side=True) as inside,
                ):
                    talk(inside)

    def _shake_hands(self, client):
        sent = b""
        while len(sent) < 1537:
            sent += client.recv(1537)
        client.sendall(b"\3" + bytes(1536) + sent[1:])

    def _note(self, client):
        self.first = client.recv(1)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *exc):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """A certificate for localhost that is its own authority."""
    folder = tmp_path_factory.mktemp("tls")
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    files = ["-keyout", folder / "key.pem", "-out", folder / "certificate.pem"]
    kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    subprocess.run(["openssl", "req", *kind, *names, *files], check=True, capture_output=True)
    return folder


def connect(port, **more):
    url = f"rtmps://localhost:{port}/app/s3cret-key"
    with pytest.raises(Lost) as caught:
        FfmpegSink(FfmpegSinkSettings(kind="ffmpeg", url=url, timeout=8, **more), SinkContext(CANVAS)).__enter__()
    assert "s3cret-key" not in str(caught.value)


@pytest.mark.skipif(
    int(av.__version__.split(".")[0]) < 19, reason="PyAV 18 holds the interpreter, and with it this test's server"
)
def test_a_server_that_its_authority_vouches_for_is_talked_to(authority):
    with Server(authority / "certificate.pem", authority / "key.pem") as server:
        connect(server.port, ca_file=authority / "certificate.pem")
    assert server.first == RTMP_VERSION


def test_a_server_that_nobody_vouches_for_gets_not_one_byte(authority):
    with Server(authority / "certificate.pem", authority / "key.pem") as server:
        connect(server.port)
    assert server.first == b""
