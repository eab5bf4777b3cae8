"""The RTMP server's doors for strangers' bytes, each as a function of bytes: only ProtocolError may come out.

The corpus of a target lies in the folder of the target's name, and `mutants` runs a target by atheris.
"""

import contextlib
import struct
import time
from collections.abc import Callable, Mapping

from sdstream.sources.rtmp_server import amf0, chunks, flv
from sdstream.sources.rtmp_server.admission.login import Login, query_of
from sdstream.sources.rtmp_server.admission.stream_name import is_key, stream_name
from sdstream.sources.rtmp_server.amf0 import ProtocolError
from sdstream.sources.rtmp_server.chunks import AUDIO, DATA, VIDEO, Message, write_message
from sdstream.sources.rtmp_server.events import LoginRequest, Media, PublishFinished, PublishRequest
from sdstream.sources.rtmp_server.protocol import HANDSHAKE, LONGEST_MEDIA, RtmpSession
from sdstream.sources.rtmp_server.publication import Publication
from tests.sources.rtmp_server.rtmp_client import ask, command, connect, media, metadata

_HELLO = b"\3" + bytes(2 * HANDSHAKE)
_BEFORE = (b"", _HELLO, _HELLO + connect(), _HELLO + connect() + ask("key"))
_LOGIN = Login("ann", "canary-4711")
_SLOWEST = 1.0  # seconds for an input


def rtmp_session(data: bytes) -> None:
    """Feed a session at each step, in pieces: bounded memory, and nothing but ProtocolError."""
    if len(data) < 2:
        return
    session, publication = RtmpSession(login=bool(data[0] & 4)), Publication(data[0] >> 6, data[0] >> 6)
    size = data[1] or 65536
    pieces = [_BEFORE[data[0] & 3], *(data[place : place + size] for place in range(2, len(data), size))]
    with contextlib.suppress(ProtocolError):
        for now, piece in enumerate(pieces):
            _feed(session, publication, piece, now / 10)
            assert session.held <= 3 * LONGEST_MEDIA


def _feed(session: RtmpSession, publication: Publication, piece: bytes, now: float) -> None:
    for event in session.receive(piece):
        match event:
            case PublishRequest(app, name):
                assert not is_key(stream_name(app, name, "live"), "canary-4711 of nobody", "live")
                session.accept()
            case LoginRequest(query):
                assert not _LOGIN.is_answered(query, now)
                session.log_in()
            case Media():
                made = publication.feed(event, now, wanted=bool(event.timestamp & 1), room=not event.timestamp & 2)
                assert len(made) <= 5 * LONGEST_MEDIA
                publication.why()
                if publication.outgrown():
                    publication.restart()
            case PublishFinished():
                return
    session.outgoing()


def rtmp_media(data: bytes) -> None:
    """Make a file of any messages: a message is a byte for the kind, two for the length, and the payload."""
    publication = Publication(data[0] & 3 if data else 0, data[-1] & 3 if data else 0)
    place, stamp = 0, 0
    while place + 3 <= len(data):
        kind = (AUDIO, VIDEO, DATA)[data[place] % 3]
        length = int.from_bytes(data[place + 1 : place + 3], "big")
        message = Media(kind, stamp, data[place + 3 : place + 3 + length])
        made = publication.feed(message, stamp / 30, wanted=data[place] < 200, room=data[place] % 7 != 0)
        flv.is_key_frame(message)
        assert made[:3] in {b"", b"FLV"} or made[0] in {AUDIO, VIDEO}
        place, stamp = place + 3 + length, stamp + 33
    publication.why()


def amf0_values(data: bytes) -> None:
    """Read AMF0 up to the first unreadable value, and the tracks that metadata announce."""
    assert isinstance(amf0.decode(data), list)
    flv.announced_tracks(Media(DATA, 0, data))


def rtmp_login(data: bytes) -> None:
    """Read the answer to a challenge: no bytes are the answer, and no question holds the password."""
    query = query_of("live?" + data.decode("utf-8", "replace"))
    assert not _LOGIN.is_answered(query, 1000.0)
    assert "canary" not in _LOGIN.question(query, 1000.0) or "canary" in str(query)


def _timed(target: Callable[[bytes], None]) -> Callable[[bytes], None]:
    """Return the target; an input that costs too much raises TimeoutError."""

    def run(data: bytes) -> None:
        began = time.process_time()
        target(data)
        took = time.process_time() - began
        if took > _SLOWEST:
            raise TimeoutError(f"{took:.2f} s of processor for {len(data)} bytes")

    return run


TARGETS: Mapping[str, Callable[[bytes], None]] = {
    target.__name__: _timed(target) for target in (rtmp_session, rtmp_media, amf0_values, rtmp_login)
}


def seeds() -> dict[str, list[bytes]]:
    """Return the seeds of each target: small inputs that reach far."""
    picture, sound = b"\x17\1\0\0\0key", b"\xaf\1sound"
    control = b"".join(write_message(Message(kind, 0, b"\0\0\0\xff\0\0"), 2, 128) for kind in range(1, 7))
    enhanced = [(1, b"\x90hvc1cfg"), (1, b"\x93hvc1key"), (0, b"\x90mp4a"), (1, b"\x96\1avc1\0x")]
    enhanced.append((1, b"\x97\2\0\0\1\1hvc1x"))
    plain = [(1, b"\x17\0\0\0\0avcC"), (1, picture), (0, b"\xaf\0\x12\x10"), (0, sound), (1, b"\x27\1\0\0\0p")]
    about = [(2, amf0.encode("onMetaData", {"width": 1}))]
    aggregate = media(chunks.AGGREGATE, 1000, b"\x09\0\0\5\0\0\1\0\0\0\0\x17\1\0\0\0\0\0\0\x10")
    return {
        "rtmp_session": [
            b"\0\0" + _HELLO + connect() + ask("k") + metadata(width=1.0),
            b"\1\7" + connect("live?authmod=adobe&user=ann&response=x&opaque=3e8.0") + ask("key"),
            b"\5\0" + connect("live?authmod=adobe&user=ann") + command("publish", 5, None, "rtmp://h/live/k"),
            b"\3\0" + metadata(videocodecid=7.0) + media(VIDEO, 0, plain[0][1]) + media(VIDEO, 1, picture),
            b"\3\5" + control + b"\4\xff\xff\xff\0\0\3\x09\1\0\0\0\x80\0\0\0abc\xc4\x80\0\0\0def" + aggregate,
            b"\3\0" + command("FCUnpublish", 6, None, "key") + command("deleteStream", 7, None, 1.0),
        ],
        "rtmp_media": [_joined(plain), _joined(enhanced), _joined(about + plain)],
        "amf0_values": [
            amf0.encode("@setDataFrame", "onMetaData", {"width": 1.0, "a": {"b": None, "c": True}}),
            b"\x0a\0\0\0\2\5\6\x0b" + bytes(10) + b"\x0c\0\0\0\1a\x08\0\0\0\0\0\0\x09\x10\0\1a\0\0\x09",
            b"\2\0\7connect\x11\4\1\x11\x0a\x0b\1\7app\6\x09live\3a\x09\5\1\2\x0a\1\3b\x11\3\0\6\3k\3\3c\x0d\3\0\0\0\0\1\1",
        ],
        "rtmp_login": [b"authmod=adobe&user=ann&challenge=ab&response=cd==&opaque=3e8.00", b"authmod=llnw&user=%00"],
    }


def _joined(messages: list[tuple[int, bytes]]) -> bytes:
    return b"".join(struct.pack(">BH", kind, len(payload)) + payload for kind, payload in messages)
