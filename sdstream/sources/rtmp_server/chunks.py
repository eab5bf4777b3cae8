"""RTMP's chunk layer (Adobe's specification 1.0, section 5.3) without any I/O: bytes in, messages out, and back.

What a peer can make us keep is bounded: at most 32 chunk streams, each message as long as the session allows, and
all unfinished messages together no longer than two of them.
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
    """One RTMP message."""

    kind: int
    timestamp: int
    """Milliseconds, modulo 2**32."""
    payload: bytes
    message_stream: int = 0


@dataclass(slots=True)
class _Lane:
    """A chunk stream: the header that the next one may refer to, and the message under way."""

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
    """Puts messages together again."""

    def __init__(self, longest: int) -> None:
        self.longest = longest
        """Bytes that a message may have."""
        self.chunk_size = 128
        self._lanes: dict[int, _Lane] = {}
        self._buffer = bytearray()
        self._lane: _Lane | None = None  # whose payload comes next
        self._missing = 0  # bytes of that chunk's payload

    @property
    def held(self) -> int:
        """Bytes that are kept for unfinished messages."""
        return len(self._buffer) + sum(len(lane.parts) for lane in self._lanes.values())

    def feed(self, data: bytes) -> None:
        """Take bytes in; `next_message` takes messages out."""
        self._buffer += data

    def next_message(self) -> Message | None:
        """Return the next whole message, None if there is none yet. Raises ProtocolError."""
        while True:
            if self._lane is None and not self._header():
                return None
            message = self._payload()
            if message is not None:
                return message
            if self._missing:
                return None

    def abort(self, chunk_stream: int) -> None:
        """Forget the unfinished message of a chunk stream."""
        if lane := self._lanes.get(chunk_stream):
            lane.parts.clear()
            lane.open = False

    def _header(self) -> bool:
        """Read a chunk's header if it is here whole."""
        data = self._buffer
        if not data:
            return False
        form, number, place = data[0] >> 6, data[0] & 63, 1
        if number < 2:
            place = 2 + number
            if len(data) < place:
                return False
            number = data[1] + 64 + (data[2] << 8 if number else 0)
        size = _HEADER_BYTES[form]
        if len(data) < place + size:
            return False
        lane = self._lanes.get(number) or _Lane()
        fields = bytes(data[place : place + size])
        place += size
        stamp = int.from_bytes(fields[:3], "big") if form < 3 else 0
        extended = stamp == _EXTENDED if form < 3 else lane.extended
        if extended:
            if len(data) < place + 4:
                return False
            stamp = int.from_bytes(data[place : place + 4], "big")
            place += 4
        self._admit(number, lane, form)
        self._begin(lane, form, fields, stamp, extended)
        del data[:place]
        return True

    def _admit(self, number: int, lane: _Lane, form: int) -> None:
        if form and not lane.known:
            raise ProtocolError("RTMP: a chunk refers to a header that was never sent")
        if number not in self._lanes:
            if len(self._lanes) >= _MOST_CHUNK_STREAMS:
                raise ProtocolError("RTMP: too many chunk streams")
            self._lanes[number] = lane

    def _begin(self, lane: _Lane, form: int, fields: bytes, stamp: int, extended: bool) -> None:
        if form < 3:
            if lane.open:
                raise ProtocolError("RTMP: a message begins within another one")
            lane.extended = extended
            lane.step = stamp
        if form < 2:
            lane.length, lane.kind = int.from_bytes(fields[3:6], "big"), fields[6]
        if form == 0:
            lane.message_stream = int.from_bytes(fields[7:11], "little")
            lane.timestamp = stamp
            lane.known = True
        elif not lane.open:
            lane.timestamp = (lane.timestamp + lane.step) & 0xFFFFFFFF
        if lane.length > self.longest:
            raise ProtocolError(f"RTMP: a message of {lane.length} bytes is too long")
        lane.open = True
        self._lane = lane
        self._missing = min(self.chunk_size, lane.length - len(lane.parts))

    def _payload(self) -> Message | None:
        lane = self._lane
        if lane is None:
            return None
        part = self._buffer[: self._missing]
        lane.parts += part
        del self._buffer[: len(part)]
        self._missing -= len(part)
        if self._missing:
            if sum(len(other.parts) for other in self._lanes.values()) > 2 * self.longest:
                raise ProtocolError("RTMP: too much in unfinished messages")
            return None
        self._lane = None
        if len(lane.parts) < lane.length:
            return None
        message = Message(lane.kind, lane.timestamp, bytes(lane.parts), lane.message_stream)
        lane.parts = bytearray()
        lane.open = False
        return message


def write_message(message: Message, chunk_stream: int, chunk_size: int) -> bytes:
    """Return `message` as chunks; `chunk_stream` is 2-63, the timestamp less than 2**24 - 1."""
    stamp, length = message.timestamp.to_bytes(3, "big"), len(message.payload).to_bytes(3, "big")
    head = bytes([chunk_stream]) + stamp + length + bytes([message.kind]) + struct.pack("<I", message.message_stream)
    pieces = [message.payload[i : i + chunk_size] for i in range(0, len(message.payload), chunk_size)] or [b""]
    return head + bytes([0xC0 | chunk_stream]).join(pieces)
