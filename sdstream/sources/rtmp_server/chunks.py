"""RTMP's chunk layer (Adobe's specification 1.0, section 5.3) without any I/O: bytes in, messages out, and back.

The memory for a peer is bounded: at most 32 chunk streams, each message at most as long as the session allows, and all
unfinished messages together at most twice as long.
"""

import struct
from dataclasses import dataclass, field

from sdstream.sources.rtmp_server.amf0 import ProtocolError

SET_CHUNK_SIZE, ABORT, ACKNOWLEDGEMENT, USER_CONTROL, WINDOW_SIZE, PEER_BANDWIDTH = 1, 2, 3, 4, 5, 6
AUDIO, VIDEO, DATA_AMF3, COMMAND_AMF3, DATA, COMMAND, AGGREGATE = 8, 9, 15, 17, 18, 20, 22
_MOST_CHUNK_STREAMS = 32
_EXTENDED = 0xFFFFFF
_HEADER_BYTES = (11, 7, 3, 0)


@dataclass(frozen=True, slots=True)
class Message:
    """An RTMP message."""

    kind: int
    timestamp: int
    """Milliseconds, modulo 2**32."""
    payload: bytes
    message_stream: int = 0


@dataclass(slots=True)
class _ChunkStream:
    """A chunk stream: the last header, because the next header may refer back, and the unfinished message."""

    kind: int = 0
    length: int = 0
    message_stream: int = 0
    timestamp: int = 0
    step: int = 0
    extended: bool = False
    known: bool = False
    parts: bytearray = field(default_factory=bytearray)
    open: bool = False


class ChunkReader:
    """Joins chunks to messages."""

    def __init__(self, longest: int) -> None:
        self.longest = longest
        """Longest message in bytes; a longer message is a ProtocolError."""
        self.chunk_size = 128
        self._streams: dict[int, _ChunkStream] = {}
        self._buffer = bytearray()
        self._current: _ChunkStream | None = None  # the chunk stream of the next payload
        self._missing = 0  # bytes left of the present chunk's payload
        self._repeats = True  # until a type 3 chunk comes without the extended timestamp

    @property
    def held(self) -> int:
        """Bytes kept for unfinished messages."""
        return len(self._buffer) + sum(len(stream.parts) for stream in self._streams.values())

    def feed(self, data: bytes) -> None:
        """Add bytes; `next_message` returns the messages."""
        self._buffer += data

    def next_message(self) -> Message | None:
        """Return the next complete message; None until all bytes are here. Raises ProtocolError."""
        while True:
            if self._current is None and not self._read_header():
                return None
            message = self._read_payload()
            if message is not None:
                return message
            if self._missing:
                return None

    def abort(self, chunk_stream: int) -> None:
        """Forget the unfinished message of a chunk stream."""
        if stream := self._streams.get(chunk_stream):
            stream.parts.clear()
            stream.open = False

    def _read_header(self) -> bool:
        """Read a chunk's header; False until all bytes of the header are here."""
        data = self._buffer
        basic = _basic_header(data)
        if basic is None:
            return False
        fmt, number, offset = basic
        size = _HEADER_BYTES[fmt]
        if len(data) < offset + size:
            return False
        stream = self._streams.get(number) or _ChunkStream()
        fields = bytes(data[offset : offset + size])
        offset += size
        timestamp = int.from_bytes(fields[:3], "big") if fmt < 3 else 0
        extended = timestamp == _EXTENDED
        present = extended if fmt < 3 else stream.extended and self._repeated(stream, data[offset : offset + 4])
        if present:
            if len(data) < offset + 4:
                return False
            timestamp = int.from_bytes(data[offset : offset + 4], "big")
            offset += 4
        self._admit(number, stream, fmt)
        self._begin(stream, fmt, fields, timestamp, extended)
        del data[:offset]
        return True

    def _repeated(self, stream: _ChunkStream, following: bytearray) -> bool:
        """Tell whether a type 3 chunk repeats the extended timestamp (section 5.3.1.3); many publishers leave it out.

        A repeated timestamp equals the announced time, as a step or as an absolute time. The first other bytes settle
        the question for the whole connection.
        """
        if self._repeats:
            times = {stream.step, stream.timestamp, (stream.timestamp + stream.step) & 0xFFFFFFFF}
            self._repeats = any(time.to_bytes(4, "big").startswith(following) for time in times)
        return self._repeats

    def _admit(self, number: int, stream: _ChunkStream, fmt: int) -> None:
        if fmt and not stream.known:
            raise ProtocolError(f"RTMP: chunk stream {number} refers to a header never sent")
        if number not in self._streams:
            if len(self._streams) >= _MOST_CHUNK_STREAMS:
                raise ProtocolError(f"RTMP: more than {_MOST_CHUNK_STREAMS} chunk streams")
            self._streams[number] = stream

    def _begin(self, stream: _ChunkStream, fmt: int, fields: bytes, timestamp: int, extended: bool) -> None:
        if fmt < 3:
            if fmt < 2 and stream.open and int.from_bytes(fields[3:6], "big") != stream.length:
                stream.parts.clear()  # the program gave the last message up, as programs do after a full network
                stream.open = False
            stream.extended = extended
            stream.step = timestamp
        if fmt < 2:
            stream.length, stream.kind = int.from_bytes(fields[3:6], "big"), fields[6]
        if fmt == 0:
            stream.message_stream = int.from_bytes(fields[7:11], "little")
            stream.timestamp = timestamp
            stream.known = True
        elif not stream.open:
            stream.timestamp = (stream.timestamp + stream.step) & 0xFFFFFFFF
        if stream.length > self.longest:
            raise ProtocolError(f"RTMP: a message of {stream.length} bytes; at most {self.longest} are allowed")
        stream.open = True
        self._current = stream
        self._missing = min(self.chunk_size, stream.length - len(stream.parts))

    def _read_payload(self) -> Message | None:
        stream = self._current
        if stream is None:
            return None
        part = self._buffer[: self._missing]
        stream.parts += part
        del self._buffer[: len(part)]
        self._missing -= len(part)
        if self._missing:
            if sum(len(each.parts) for each in self._streams.values()) > 2 * self.longest:
                raise ProtocolError(f"RTMP: more than {2 * self.longest} bytes in unfinished messages")
            return None
        self._current = None
        if len(stream.parts) < stream.length:
            return None
        message = Message(stream.kind, stream.timestamp, bytes(stream.parts), stream.message_stream)
        stream.parts = bytearray()
        stream.open = False
        return message


def _basic_header(data: bytearray) -> tuple[int, int, int] | None:
    """Return fmt, chunk stream id and length in bytes of the basic header (section 5.3.1.1); None if incomplete."""
    if not data:
        return None
    fmt, number = data[0] >> 6, data[0] & 63
    if number >= 2:
        return fmt, number, 1
    length = 2 + number
    if len(data) < length:
        return None
    return fmt, data[1] + 64 + (data[2] << 8 if number else 0), length


def write_message(message: Message, chunk_stream: int, chunk_size: int) -> bytes:
    """Return `message` as chunks; `chunk_stream` is 2-63, the timestamp less than 2**24 - 1."""
    timestamp, length = message.timestamp.to_bytes(3, "big"), len(message.payload).to_bytes(3, "big")
    head = (
        bytes([chunk_stream]) + timestamp + length + bytes([message.kind]) + struct.pack("<I", message.message_stream)
    )
    chunks = [message.payload[i : i + chunk_size] for i in range(0, len(message.payload), chunk_size)] or [b""]
    return head + bytes([0xC0 | chunk_stream]).join(chunks)
