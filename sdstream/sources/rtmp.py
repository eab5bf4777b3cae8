"""RTMP as a source: fetched from a server, or taken from the gate where a publisher such as OBS delivers it."""

import contextlib
import select
import socket
from typing import Self

from sdstream.config.sources import RtmpSourceSettings
from sdstream.errors import Bug, Lost
from sdstream.frame import Frame
from sdstream.redact import mask_url
from sdstream.sources import Source
from sdstream.sources.context import SourceContext
from sdstream.sources.ffmpeg import LIVE_OPTIONS, PATIENCE, FfmpegSource, Input
from sdstream.sources.rtmp_server.address import GateAddress
from sdstream.system.certificates import default_ca_file
from sdstream.system.listening import LOOPBACK

_CONNECT = 1.0
_BUFFER = 256 * 1024  # a small one: pictures that wait in a socket are late pictures
_HEADER, _FLAGS, _BOTH = 13, 4, 5  # bytes of an FLV header, place of its flags, and the flags of sound and picture
_PROTOCOLS = "rtmp,rtmps,rtmpt,rtmpts,tcp,tls,http,https"


def open_rtmp(settings: RtmpSourceSettings, context: SourceContext) -> Source:
    """Return the source for a pull (`url`) or for a publisher that comes to us (`listen`)."""
    if settings.url is not None:
        return FfmpegSource(pull(settings), context)
    if context.gate is None:
        raise Bug("an RTMP source that listens was given no gate")
    return PublisherSource(context.gate, context)


def pull(settings: RtmpSourceSettings) -> Input:
    """Return how a server's publication is fetched.

    `timeout` is not among the options: for FFmpeg's RTMP it means to listen. The format is given, so that whatever
    a server sends is read as FLV or not at all.
    """
    url = settings.url.get_secret_value() if settings.url else ""
    options = {**LIVE_OPTIONS, "protocol_whitelist": _PROTOCOLS}
    if url.startswith(("rtmps:", "rtmpts:")):
        authorities = settings.ca_file or default_ca_file()
        options["tls_verify"] = "1"
        if authorities:
            options["ca_file"] = str(authorities)
    return Input(url, mask_url(url), "flv", options, read_timeout=settings.read_timeout)


class PublisherSource:
    """Waits at the gate for a publication, and reads it until it ends; then it is Lost, and to be opened anew."""

    def __init__(self, gate: GateAddress, context: SourceContext) -> None:
        self._gate = gate
        self._context = context
        self._socket: socket.socket | None = None
        self._publication: FfmpegSource | None = None

    def __enter__(self) -> Self:
        connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
            connection.settimeout(_CONNECT)
            connection.connect((LOOPBACK, self._gate.port))
            connection.sendall(self._gate.token)
        except OSError as error:
            connection.close()
            raise Lost("the RTMP gate does not answer") from error
        connection.settimeout(None)
        self._socket = connection
        return self

    def __exit__(self, *exc: object) -> None:
        if self._publication is not None:
            self._publication.__exit__(*exc)
            self._publication = None
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)  # wakes the reader's thread
            self._socket.close()
            self._socket = None

    def read(self) -> Frame | None:
        """Return the next picture; None while nobody publishes, or while the publisher is silent."""
        if self._publication is None:
            pipe = _Pipe(self._connection())
            tracks = pipe.tracks()
            if tracks is None:
                return None
            # libav waits for a second track, whatever the header says, unless it is told to look at one packet only
            options = LIVE_OPTIONS if tracks == _BOTH else {**LIVE_OPTIONS, "analyzeduration": "1"}
            source = Input(pipe, "the publisher", "flv", options, read_timeout=None)
            self._publication = FfmpegSource(source, self._context)
            self._publication.__enter__()
        return self._publication.read()

    def facts(self) -> dict[str, str]:
        """Return what is known of the publication."""
        return self._publication.facts() if self._publication else {}

    def _connection(self) -> socket.socket:
        if self._socket is None:
            raise Bug("the RTMP source is not open")
        return self._socket


class _Pipe:
    """A file object over the gate's socket: PyAV reads from it, in the reader's thread.

    An end of file is final for libav, so a publisher's silence must not look like one: `read` waits, however long.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def tracks(self) -> int | None:
        """Return the tracks that the FLV header promises, and leave it to be read; None if it does not come.

        Raises Lost at the end.
        """
        if not select.select([self._connection], [], [], PATIENCE)[0]:
            return None
        try:
            start = self._connection.recv(_HEADER, socket.MSG_PEEK)
        except ConnectionError:
            start = b""
        if not start:
            raise Lost("the RTMP gate has closed the door")
        return start[_FLAGS] if len(start) == _HEADER else None

    def read(self, count: int) -> bytes:
        """Return 1 to `count` bytes, none at the end."""
        try:
            return self._connection.recv(count)
        except ConnectionError:
            return b""
