"""SRT as a source: waits for a sender, or calls a sender, through the ffmpeg program of the system."""

import re
import select
import socket
import time
from dataclasses import replace
from typing import Self

from sdstream.config.sources import SrtSourceSettings
from sdstream.errors import Bug, Forbidden, Lost, Unavailable
from sdstream.frame import Frame
from sdstream.log import get_logger
from sdstream.sources.context import SourceContext
from sdstream.sources.ffmpeg import LIVE_OPTIONS, PATIENCE, FfmpegSource, Input
from sdstream.sources.srt_program import SrtProgram
from sdstream.system.ffmpeg_program import NO_SRT, TOO_OLD, errors_in

_ADVICE = "expected an SRT sender that listens at this address; SRT uses UDP, also in firewalls"
_TELL_EVERY = 10.0  # seconds between two lines of the log about refused senders


class SrtSource:
    """A single connection. The end of the connection or of the program is Lost, and the stage opens a new source."""

    def __init__(self, settings: SrtSourceSettings, context: SourceContext) -> None:
        self._settings = settings
        self._context = replace(context, check_running=self._check_running)
        self._stage_runs = context.check_running
        self._program: SrtProgram | None = None
        self._file: _ProgramFile | None = None
        self._stream: FfmpegSource | None = None
        self._refused_told = -_TELL_EVERY

    def __enter__(self) -> Self:
        if self._settings.listen:
            _require_free(self._settings.listen)
        self._program = SrtProgram(self._settings.place, self._settings.options)
        return self

    def __exit__(self, *exc: object) -> None:
        if self._stream is not None:
            self._stream.__exit__(*exc)
            self._stream = None
        if self._program is not None:
            self._program.close()
            self._program = None

    def read(self) -> Frame | None:
        """Return the next picture; None without a sender. Raises Lost at the end, Unavailable without SRT."""
        program = self._opened()
        self._listen()
        if self._stream is None:
            if not select.select([program.output], [], [], PATIENCE)[0]:
                return None
            if not program.output.recv(1, socket.MSG_PEEK):
                raise self._end()
            self._file = _ProgramFile(program.output, self._settings.read_timeout)
            source = Input(
                self._file, "the SRT sender", "mpegts", LIVE_OPTIONS, read_timeout=None, picture=self._settings
            )
            self._stream = FfmpegSource(source, self._context)
            self._stream.__enter__()
        try:
            return self._stream.read()
        except Lost as loss:
            if self._file is None or not self._file.ended:
                raise
            raise self._end() from loss

    def facts(self) -> dict[str, str]:
        """Return the known facts about picture and sound; nothing before the first picture."""
        return self._stream.facts() if self._stream else {}

    def _end(self) -> Lost | Unavailable:
        """Return why the connection is over, as far as the program said."""
        program = self._opened()
        program.listen()
        if self._file is not None and self._file.silent:
            return Lost(f"the SRT sender sent nothing for {self._settings.read_timeout:g} s")
        if program.connected:
            return Lost("the SRT sender ended the connection, or the network did")
        name = self._settings.place
        url = self._settings.url.get_secret_value() if self._settings.url else name
        said = errors_in(program.said, url, "sender", _ADVICE)
        return (Unavailable if NO_SRT in said or TOO_OLD in said else Lost)(f"source {name} cannot be opened: {said}")

    def _listen(self) -> None:
        """Tell of senders that were refused; strangers may knock often, so only now and then."""
        said, now = self._opened().listen(), time.monotonic()
        refused = re.search(r"rejected due to|REJECT", said)
        if self._settings.listen and refused and now - self._refused_told > _TELL_EVERY:
            self._refused_told = now
            wrong = re.search(r"passphrase|BADSECRET|UNSECURE", said, re.IGNORECASE)
            reason = "another passphrase, or none" if wrong else "see the settings of the sender"
            get_logger().warning("an SRT sender was refused", reason=reason)

    def _check_running(self) -> None:
        self._stage_runs()
        self._listen()

    def _opened(self) -> SrtProgram:
        if self._program is None:
            raise Bug("the SRT source is not open")
        return self._program


class _ProgramFile:
    """A file object over the socket from the program; PyAV calls `read` in the reader's thread."""

    def __init__(self, connection: socket.socket, silence: float) -> None:
        self._connection = connection
        connection.settimeout(silence)
        self.ended = False
        self.silent = False
        """Whether the end is a silence of `silence` seconds."""

    def read(self, count: int) -> bytes:
        """Return 1 to `count` bytes, none at the end."""
        try:
            data = self._connection.recv(count)
        except TimeoutError:
            self.silent, data = True, b""
        except OSError:
            data = b""
        self.ended = self.ended or not data
        return data


def _require_free(listen: str) -> None:
    """Raise Unavailable or Forbidden for an address where nobody can listen: the program gives no reason."""
    host, _, port = listen.rpartition(":")
    try:
        family, kind, _, _, address = socket.getaddrinfo(
            host.strip("[]"), int(port), type=socket.SOCK_DGRAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind) as trial:
            trial.bind(address)
    except OSError as error:
        reason = f"cannot listen on {listen} (UDP): {error.strerror or error}; expected a free port of this machine"
        raise (Forbidden if isinstance(error, PermissionError) else Unavailable)(reason) from error
