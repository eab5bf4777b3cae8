"""The server's side of an RTMP publication, without any I/O: bytes in; events, and bytes to send, out.

Adobe's specification 1.0 with the plain handshake, which OBS (librtmp), FFmpeg and GStreamer all speak. A peer can
publish, and never play.
"""

import enum
import os
import struct
from collections.abc import Iterator

from sdstream.sources.rtmp_server import amf0, chunks
from sdstream.sources.rtmp_server.admission.login import query_of
from sdstream.sources.rtmp_server.amf0 import ProtocolError
from sdstream.sources.rtmp_server.chunks import ChunkReader, Message
from sdstream.sources.rtmp_server.events import Event, LoginRequest, Media, PublishFinished, PublishRequest

VERSION = 3
HANDSHAKE = 1536
LONGEST_COMMAND = 64 * 1024
"""Longest message (bytes) from a peer before `accept`."""
LONGEST_MEDIA = 8 * 1024 * 1024
"""Longest message (bytes) from a peer after `accept`: a key frame of 4K."""
MOST_BYTES = 32 * 1024
MOST_MESSAGES = 128
"""A peer asks to publish within so many bytes and messages; OBS and FFmpeg need 4 kB and 10 messages."""
_OUR_CHUNK_SIZE = 4096
_WINDOW = 2_500_000
_MEDIA = {chunks.AUDIO, chunks.VIDEO, chunks.DATA}
_NOT_RTMP = {
    0x16: "the peer speaks TLS; expected rtmp:// and not rtmps://",
    ord("G"): "the peer speaks HTTP; expected RTMP",
    6: "the peer speaks encrypted RTMP; expected rtmp:// and not rtmpe://",
}
_CONFIRMED_ONLY = {"releaseStream", "FCPublish", "FCUnpublish", "_checkbw", "getStreamLength"}


class _Phase(enum.Enum):
    AWAIT_C0_C1 = 0
    AWAIT_C2 = 1
    CONNECT = 2
    CONNECTED = 3
    PUBLISH_ASKED = 4
    PUBLISHING = 5
    OVER = 6


class RtmpSession:
    """The connection of a peer. `receive` raises ProtocolError, and nothing else, for any bytes."""

    def __init__(self, *, login: bool = False) -> None:
        """`login`: whether the peer has to log in."""
        self._login = login
        self._phase = _Phase.AWAIT_C0_C1
        self._start = bytearray()
        self._reader = ChunkReader(LONGEST_COMMAND)
        self._out = bytearray()
        self._out_chunk_size = 128
        self._app = ""
        self._received = self._acknowledged = 0
        self._messages = 0
        self._transaction = 0.0
        self._peer_window = _WINDOW  # a publisher that announces none may wait for acknowledgements all the same
        self._message_stream = 1

    @property
    def held(self) -> int:
        """Bytes of the peer kept in memory."""
        return len(self._start) + self._reader.held

    @property
    def progress(self) -> int:
        """Steps taken towards publishing."""
        return self._phase.value

    @property
    def _over(self) -> bool:
        return self._phase is _Phase.OVER

    def outgoing(self) -> bytes:
        """Return the bytes to send, and forget the bytes."""
        data = bytes(self._out)
        self._out.clear()
        return data

    def receive(self, data: bytes) -> Iterator[Event]:
        """Take bytes in, and yield the events. Raises ProtocolError.

        After a PublishRequest, call `accept` or `reject` before the iteration goes on.
        """
        self._received += len(data)
        if self._phase.value < _Phase.CONNECT.value:
            self._start += data
            data = self._shake_hands()
        if self._phase.value < _Phase.CONNECT.value or self._over:
            return
        self._reader.feed(data)
        while not self._over and (message := self._reader.next_message()) is not None:
            self._messages += 1
            if self._messages > MOST_MESSAGES:
                self._demand_request()
            yield from self._handle(message)
        if self._received > MOST_BYTES:
            self._demand_request()
        self._acknowledge()

    def _demand_request(self) -> None:
        if self._phase.value < _Phase.PUBLISH_ASKED.value:
            raise ProtocolError(f"RTMP: no request to publish within {MOST_BYTES} bytes and {MOST_MESSAGES} messages")

    def accept(self) -> None:
        """Let the peer publish."""
        self._phase = _Phase.PUBLISHING
        self._reader.longest = LONGEST_MEDIA
        self._status("status", "NetStream.Publish.Start", "publishing")

    def reject(self, description: str) -> None:
        """Refuse the peer; close the connection after sending `outgoing`."""
        self._phase = _Phase.OVER
        self._status("error", "NetStream.Publish.BadName", description)

    def log_in(self) -> None:
        """Let the peer connect."""
        self._phase = _Phase.CONNECTED
        self._send(Message(chunks.WINDOW_SIZE, 0, struct.pack(">I", _WINDOW)), 2)
        self._send(Message(chunks.PEER_BANDWIDTH, 0, struct.pack(">IB", _WINDOW, 2)), 2)
        self._send(Message(chunks.SET_CHUNK_SIZE, 0, struct.pack(">I", _OUR_CHUNK_SIZE)), 2)
        self._out_chunk_size = _OUR_CHUNK_SIZE
        about = {"fmsVer": "FMS/3,5,7,7009", "capabilities": 31}
        status = {"level": "status", "code": "NetConnection.Connect.Success", "description": "", "objectEncoding": 0}
        self._reply(self._transaction, about, status)

    def ask_to_log_in(self, description: str) -> None:
        """Refuse the peer, and say in `description` how to log in; the peer ends the connection, and comes again."""
        self._phase = _Phase.OVER
        status = {"level": "error", "code": "NetConnection.Connect.Rejected", "description": description}
        payload = amf0.encode("_error", self._transaction, None, status)
        self._send(Message(chunks.COMMAND, 0, payload), 3)

    def _shake_hands(self) -> bytes:
        """Answer C0 and C1, wait for C2; return the bytes after C2."""
        start = self._start
        if self._phase is _Phase.AWAIT_C0_C1 and start:
            if start[0] != VERSION:
                raise ProtocolError(_NOT_RTMP.get(start[0]) or f"RTMP: version {start[0]}; expected {VERSION}")
            if len(start) > HANDSHAKE:
                peer_random = bytes(start[1 : 1 + HANDSHAKE])
                our_random = bytes(8) + os.urandom(HANDSHAKE - 8)
                self._out += bytes([VERSION]) + our_random + peer_random
                del start[: 1 + HANDSHAKE]
                self._phase = _Phase.AWAIT_C2
        if self._phase is _Phase.AWAIT_C2 and len(start) >= HANDSHAKE:
            rest = bytes(start[HANDSHAKE:])
            start.clear()
            self._phase = _Phase.CONNECT
            return rest
        return b""

    def _handle(self, message: Message) -> Iterator[Event]:
        kind, payload = message.kind, message.payload
        if kind in _MEDIA or kind == chunks.DATA_AMF3:
            yield from self._media(message)
        elif kind == chunks.AGGREGATE:
            yield from self._aggregate(message)
        elif kind in {chunks.COMMAND, chunks.COMMAND_AMF3}:
            yield from self._command(_amf0(message), message.message_stream)
        elif kind == chunks.USER_CONTROL:
            self._ping(payload)
        elif kind in {chunks.SET_CHUNK_SIZE, chunks.ABORT, chunks.WINDOW_SIZE}:
            self._control(kind, payload)

    def _control(self, kind: int, payload: bytes) -> None:
        if len(payload) < 4:
            raise ProtocolError(f"RTMP: a control message of {len(payload)} bytes; expected 4 or more")
        (value,) = struct.unpack(">I", payload[:4])
        if kind == chunks.ABORT:
            self._reader.abort(value)
        elif kind == chunks.WINDOW_SIZE:
            self._peer_window = value
        elif not 1 <= value <= 0x7FFFFFFF:
            raise ProtocolError(f"RTMP: a chunk size of {value}; expected 1 to {0x7FFFFFFF}")
        else:
            self._reader.chunk_size = min(value, LONGEST_MEDIA)

    def _ping(self, payload: bytes) -> None:
        if payload[:2] == b"\0\6":  # PingRequest; the answer repeats the time
            self._send(Message(chunks.USER_CONTROL, 0, b"\0\7" + payload[2:6]), 2)

    def _media(self, message: Message) -> Iterator[Event]:
        if self._phase is _Phase.PUBLISHING:
            kind = chunks.DATA if message.kind == chunks.DATA_AMF3 else message.kind
            yield Media(kind, message.timestamp, _amf0(message))

    def _aggregate(self, message: Message) -> Iterator[Event]:
        """Split an aggregate message of FLV tags; times count from the time of the first tag."""
        data, offset, first = message.payload, 0, None
        while offset + 11 <= len(data):
            kind, length = data[offset], int.from_bytes(data[offset + 1 : offset + 4], "big")
            stamp = int.from_bytes(data[offset + 4 : offset + 7], "big") | data[offset + 7] << 24
            first = stamp if first is None else first
            payload = data[offset + 11 : offset + 11 + length]
            if len(payload) < length:
                raise ProtocolError("RTMP: an aggregate message ends within a tag")
            offset += 15 + length
            if kind in _MEDIA:
                yield from self._media(Message(kind, (message.timestamp + stamp - first) & 0xFFFFFFFF, payload))

    def _command(self, payload: bytes, message_stream: int) -> Iterator[Event]:
        values = amf0.decode(payload)
        name, transaction = (*values, None, None)[:2]
        if not isinstance(name, str) or not isinstance(transaction, (int, float)):
            if self._phase is _Phase.PUBLISHING:
                return  # a publisher with the right key stays
            raise ProtocolError("RTMP: a command lacks the name or the transaction number")
        if self._phase is _Phase.CONNECT:
            query = self._check_connect(name, values)
            self._transaction = transaction
            if self._login:
                yield LoginRequest(query)
            else:
                self.log_in()
        elif name == "createStream":
            self._reply(transaction, None, float(self._message_stream))
        elif name == "publish" and self._phase is _Phase.CONNECTED:
            wanted = values[3] if len(values) > 3 and isinstance(values[3], str) else ""
            self._message_stream = message_stream or 1
            self._phase = _Phase.PUBLISH_ASKED
            yield PublishRequest(self._app, wanted)
        elif name in {"FCUnpublish", "deleteStream", "closeStream"} and self._phase is _Phase.PUBLISHING:
            self._phase = _Phase.OVER
            yield PublishFinished()
        elif name == "play":
            raise ProtocolError("RTMP: the peer asked to play; expected to publish")
        elif name in _CONFIRMED_ONLY:
            self._reply(transaction, None, None)
            if name == "FCPublish":  # Adobe's encoder and its relatives wait for this before createStream
                facts = {"level": "status", "code": "NetStream.Publish.Start", "description": ""}
                self._send(Message(chunks.COMMAND, 0, amf0.encode("onFCPublish", 0, None, facts)), 3)

    def _check_connect(self, name: str, values: list[amf0.Value]) -> dict[str, str]:
        """Take the application, and return the parameters after the application's name."""
        facts = values[2] if len(values) > 2 and isinstance(values[2], dict) else {}
        app = facts.get("app")
        if name != "connect" or not isinstance(app, str):
            raise ProtocolError("RTMP: the first command is not connect with an application")
        self._app = app.partition("?")[0].strip("/")
        return query_of(app)

    def _reply(self, transaction: float, *values: amf0.Value) -> None:
        self._send(Message(chunks.COMMAND, 0, amf0.encode("_result", transaction, *values)), 3)

    def _status(self, level: str, code: str, description: str) -> None:
        facts = {"level": level, "code": code, "description": description}
        payload = amf0.encode("onStatus", 0, None, facts)
        self._send(Message(chunks.COMMAND, 0, payload, self._message_stream), 5)

    def _acknowledge(self) -> None:
        if self._peer_window and self._received - self._acknowledged >= self._peer_window:
            self._acknowledged = self._received
            self._send(Message(chunks.ACKNOWLEDGEMENT, 0, struct.pack(">I", self._received & 0xFFFFFFFF)), 2)

    def _send(self, message: Message, chunk_stream: int) -> None:
        self._out += chunks.write_message(message, chunk_stream, self._out_chunk_size)


def _amf0(message: Message) -> bytes:
    """Return the payload without the byte that says, in AMF3's kinds of message, that AMF0 follows."""
    amf3 = message.kind in {chunks.COMMAND_AMF3, chunks.DATA_AMF3} and message.payload[:1] == b"\0"
    return message.payload[1:] if amf3 else message.payload
