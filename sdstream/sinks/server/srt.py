"""SRT through the system's FFmpeg program, because PyAV's wheels have no SRT.

The program passes bytes on (`-f data`), so that its output opens at once and a failure is known before the first
picture. The options of the URL, and with them the passphrase, go through a pipe (`-fpre /dev/fd/N`): the arguments of
a process can be read by every user of the machine. The program ends with its input, so it never outlives the sink.
"""

import contextlib
import os
import re
import select
import subprocess
import time
from typing import Self
from urllib.parse import parse_qsl, urlsplit

import av

from sdstream.errors import ConfigError, Lost, Unavailable
from sdstream.redact import mask_url
from sdstream.sinks.encoded_show import EncodedShow, Packets
from sdstream.sinks.outlet import Outlet
from sdstream.system.ffmpeg_program import NO_SRT, errors_in, program

MOST_WAITING = 4 * 1024 * 1024
"""Bytes that wait for the program; with more, the receiver is too slow, and the connection is lost."""
_END_WITHIN = 1.0  # seconds for the program to send the rest
_NULL_PACKET = b"\x47\x1f\xff\x10" + b"\xff" * 184  # ISO 13818-1: receivers skip a null packet
_ARGUMENTS = ("-hide_banner", "-nostdin", "-nostats", "-loglevel", "info", "-f", "data", "-i", "pipe:0")
_COPY = ("-map", "0", "-c", "copy", "-flush_packets", "1", "-f", "data")
_ADVICE = "expected an SRT receiver that listens at this address; SRT uses UDP, also in firewalls"


class SrtConnection:
    """A running ffmpeg program, and a file object for a muxer; writing never blocks."""

    def __init__(self, url: str, timeout: float) -> None:
        """Start the program, and wait up to `timeout` seconds for the connection. Raises Lost or Unavailable."""
        self.name = mask_url(url)
        self._url = url
        self._waiting = bytearray()
        self._said = ""
        place, options = _split(url)
        read, write = os.pipe()
        try:
            os.write(write, options)
            os.close(write)
            command = [program(), *_ARGUMENTS, *_COPY, "-fpre", f"/dev/fd/{read}", place]
            self._process = subprocess.Popen(
                command,
                pass_fds=(read,),
                process_group=0,  # Ctrl-C on the terminal is for the supervisor
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
            )
        finally:
            os.close(read)
        assert self._process.stdin is not None
        assert self._process.stderr is not None
        self._in, self._err = self._process.stdin, self._process.stderr
        os.set_blocking(self._in.fileno(), False)
        os.set_blocking(self._err.fileno(), False)
        os.write(self._in.fileno(), _NULL_PACKET)  # the program reads ten bytes before the output is opened
        self._wait(timeout)

    def write(self, data: bytes) -> int:
        """Take bytes; `commit` passes the bytes on."""
        self._waiting += data
        return len(data)

    def commit(self) -> None:
        """Pass on what the program takes now. Raises Lost when the program ended, or takes too little."""
        self._listen(0.0)
        if self._process.poll() is not None:
            raise self._failure("was lost")
        with contextlib.suppress(BlockingIOError, BrokenPipeError):  # a broken pipe: the next call knows why
            while self._waiting:
                del self._waiting[: os.write(self._in.fileno(), memoryview(self._waiting)[:65536])]
        if len(self._waiting) > MOST_WAITING:
            raise Lost(f"output {self.name} was lost: {MOST_WAITING >> 20} MB wait; the network is too slow")

    def close(self) -> None:
        """Send the rest, and end the program; closing twice is harmless."""
        with contextlib.suppress(Lost):
            self.commit()
        self._in.close()
        try:
            self._process.wait(_END_WITHIN)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._err.close()

    def _wait(self, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        while "Output #0" not in self._said:
            self._listen(0.05)
            if self._process.poll() is not None or time.monotonic() > deadline:
                self._listen(0.0)
                error = self._failure("cannot be opened")
                self._process.kill()
                self.close()
                raise error

    def _listen(self, seconds: float) -> None:
        """Read what the program says, and keep the end."""
        if self._err.closed or not select.select([self._err], [], [], seconds)[0]:
            return
        self._said = (self._said + (self._err.read() or b"").decode(errors="replace"))[-8192:]

    def _failure(self, what: str) -> Lost | Unavailable:
        said = errors_in(self._said, self._url, "receiver", _ADVICE)
        kind = Unavailable if NO_SRT in said else Lost
        return kind(f"output {self.name} {what}: {said}")


class SrtOutlet(Outlet):
    """MPEG-TS through an `SrtConnection`."""

    @classmethod
    def connect(cls, url: str, show: EncodedShow, timeout: float) -> Self:
        """Return an outlet with a connection. Raises Lost or Unavailable."""
        connection = SrtConnection(url, timeout)
        options = {"flush_packets": "1", "muxdelay": "0", "muxpreload": "0", "pes_payload_size": "0"}
        made = cls(av.open(connection, "w", format="mpegts", container_options=options), show)
        made._connection = connection
        return made

    _connection: SrtConnection

    def put(self, packets: Packets) -> None:
        """Send packets. Raises Lost when the program ended."""
        super().put(packets)
        self._connection.commit()

    def close(self) -> None:
        """Write the end, and end the program."""
        super().close()
        self._connection.close()


def _split(url: str) -> tuple[str, bytes]:
    """Return the address for the arguments, and the options of the URL as lines for FFmpeg's preset file."""
    parts = urlsplit(url)
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    if any(not re.fullmatch(r"\w+", name) or re.search(r"[\r\n]", value) for name, value in pairs):
        raise ConfigError("sinks: url: an option of the srt URL should read name=value, with & in between")
    if parts.username or parts.password or parts.hostname is None or parts.port is None:
        raise ConfigError("sinks: url: should read srt://HOST:PORT?passphrase=…")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"srt://{host}:{parts.port}", "".join(f"{name}={value}\n" for name, value in pairs).encode()
