"""RTMP as a source: fetched from a remote server, or from our RTMP server, where a publisher such as OBS delivers."""

import contextlib
import select
import socket
import time
from collections import deque
from dataclasses import replace
from typing import Self

from sdstream.config.sources import BufferedSourceSettings, RtmpSourceSettings
from sdstream.errors import Bug, Lost
from sdstream.frame import Frame
from sdstream.log import get_logger
from sdstream.redact import mask_url
from sdstream.sources import Source
from sdstream.sources.context import SourceContext
from sdstream.sources.ffmpeg import LIVE_OPTIONS, PATIENCE, FfmpegSource, Input
from sdstream.sources.rtmp_server.address import OLD, RtmpServerAddress
from sdstream.system.certificates import default_ca_file
from sdstream.system.listening import LOOPBACK

_CONNECT = 1.0
_BUFFER = 256 * 1024  # bytes; small, because pictures in a socket are late pictures
_START, _FLAGS, _BOTH = 13, 4, 5  # bytes of an FLV header, index of the flags, and the flags of sound and picture
_MOST_READS = 4096
_HEARD = 0.5  # seconds; a publisher that sent anything since then is there, also without a new picture
_TELL_STILL = 2.0  # seconds without a new picture until the log tells
_PROTOCOLS = "rtmp,rtmps,rtmpt,rtmpts,tcp,tls,http,https"


def open_rtmp(settings: RtmpSourceSettings, context: SourceContext) -> Source:
    """Return the source that fetches from a server (`url`) or waits for a publisher (`listen`)."""
    if settings.url is not None:
        return FfmpegSource(pull(settings), context)
    if context.rtmp_server is None:
        raise Bug("an RTMP source with `listen` needs the address of the RTMP server, and got None")
    return PublisherSource(context.rtmp_server, context, settings)


def pull(settings: RtmpSourceSettings) -> Input:
    """Return the input that fetches a publication from a server.

    `timeout` is not among the options: for FFmpeg's RTMP, `timeout` means to listen. The format is given, so that
    FFmpeg reads the server's bytes as FLV or not at all.
    """
    url = settings.url.get_secret_value() if settings.url else ""
    options = {**LIVE_OPTIONS, "protocol_whitelist": _PROTOCOLS}
    if url.startswith(("rtmps:", "rtmpts:")):
        authorities = settings.ca_file or default_ca_file()
        options["tls_verify"] = "1"
        if authorities:
            options["ca_file"] = str(authorities)
    return Input(url, mask_url(url), "flv", options, read_timeout=settings.silence, picture=settings)


class PublisherSource:
    """Waits at our RTMP server for a publication, and reads to the end; then raises Lost, and is to be opened again."""

    def __init__(self, server: RtmpServerAddress, context: SourceContext, settings: BufferedSourceSettings) -> None:
        self._server = server
        self._settings = settings
        self._context = context
        self._socket: socket.socket | None = None
        self._publication: FfmpegSource | None = None
        self._file: _SocketFile | None = None
        self._last: Frame | None = None
        self._last_at = 0.0  # monotonic time when the last picture was shown
        self._still_told = False
        self._has_sound = False

    def __enter__(self) -> Self:
        connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
            connection.settimeout(_CONNECT)
            connection.connect((LOOPBACK, self._server.port))
            connection.sendall(self._server.token)
        except OSError as error:
            connection.close()
            raise Lost(
                f"our RTMP server does not answer at {LOOPBACK}:{self._server.port}: {error.strerror or error}"
            ) from error
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
        """Return the next picture; None without a publisher, or while the publisher is silent.

        A publisher whose sound goes on without pictures shares a still screen: the last picture is returned again.
        """
        if self._publication is None:
            file = _SocketFile(self._connection())
            tracks = file.tracks()
            if tracks is None:
                return None
            # 1 µs probes a single packet: any longer, libav waits for a second track in spite of the header
            self._has_sound = tracks == _BOTH  # else the track of sound is prepared for sound that may come
            options = LIVE_OPTIONS if tracks == _BOTH else {**LIVE_OPTIONS, "analyzeduration": "1"}
            source = Input(file, "the publisher", "flv", options, read_timeout=None, picture=self._settings)
            self._file = file
            self._publication = FfmpegSource(replace(source, arrival=file.arrival), self._context)
            self._publication.__enter__()
        frame = self._publication.read()
        if frame is None:
            return self._still(time.monotonic())
        self._last, self._last_at, self._still_told = frame, time.monotonic(), False
        return frame

    def _still(self, now: float) -> Frame | None:
        """Return the last picture at the present time; None if there is none, or if the publisher is silent."""
        last = self._last
        if last is None or self._file is None or now - self._file.heard > _HEARD:
            return None
        if now - self._last_at > _TELL_STILL and not self._still_told:
            self._still_told = True
            get_logger().info("the publisher sends sound and no new picture; the last picture stays on air")
        return replace(last, pts=last.pts + now - self._last_at, captured=now)

    def facts(self) -> dict[str, str]:
        """Return the known facts about the publication."""
        facts = self._publication.facts() if self._publication else {}
        return facts if self._has_sound else {name: fact for name, fact in facts.items() if name != "sound"}

    def _connection(self) -> socket.socket:
        if self._socket is None:
            raise Bug("the RTMP source is not open")
        return self._socket


class _SocketFile:
    """A file object over the socket to the RTMP server; PyAV calls `read` in the reader's thread.

    An end of file is final for libav, and silence of the publisher is not an end: `read` waits without a limit.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._reads: deque[tuple[int, float]] = deque(maxlen=_MOST_READS)  # position after the bytes, time of arrival
        self._end = 0
        self._backlog = 0
        self.heard = 0.0
        """`time.monotonic()` when the last bytes came."""

    def tracks(self) -> int | None:
        """Return the tracks in the FLV header, and leave the header to be read; None if no header has come.

        Raises Lost at the end of the connection.
        """
        if not select.select([self._connection], [], [], PATIENCE)[0]:
            return None
        try:
            start = self._connection.recv(OLD.size + _START, socket.MSG_PEEK)
            if len(start) == OLD.size + _START:
                (self._backlog,) = OLD.unpack(self._connection.recv(OLD.size))
        except ConnectionError:
            start = b""
        if not start:
            raise Lost("our RTMP server closed the connection before a publication began")
        return start[OLD.size + _FLAGS] if len(start) == OLD.size + _START else None

    def read(self, count: int) -> bytes:
        """Return 1 to `count` bytes, none at the end."""
        try:
            data = self._connection.recv(count)
        except ConnectionError:
            return b""
        self.heard = time.monotonic()
        self._end += len(data)
        self._reads.append((self._end, self.heard))
        return data

    def arrival(self, position: int) -> float | None:
        """Return when the byte before `position` came; None for our server's backlog. Positions never go back.

        Like `read`, in the reader's thread only.
        """
        while len(self._reads) > 1 and self._reads[0][0] < position:
            self._reads.popleft()
        return self._reads[0][1] if position > self._backlog and self._reads else None
