"""Commands whose values are AMF3: read, or skipped, and the publisher stays."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdstream.sources.rtmp_server import amf0, chunks
from sdstream.sources.rtmp_server.chunks import Message, write_message
from sdstream.sources.rtmp_server.events import PublishRequest
from tests.sources.rtmp_server.sessions import events, greeted

SWITCHED = {
    "an object": b"\x11\x0a\x0b\1\7app\6\x09live\x0btcUrl\6\x2bincomplete but a text\1",
    "a class with members": b"\x11\x0a\x13\1\7app\6\x09live",
    "after a text that is a reference later": b"\x11\x0a\x0b\1\5ok\6\7app\2\6\x09live\1",
    "among values of every type": (
        b"\x11\x0a\x0b\1\3a\4\xff\xff\xff\xff\3b\5" + bytes(8) + b"\3c\x08\1" + bytes(8) + b"\3d\x09\5\1\2\3"
        b"\3e\x0c\5hi\3f\x0d\3\0\0\0\0\1\3g\x11\3\0\6\3k\3\3h\x07\3x\3i\x10\3\0\1\1\7app\6\x09live\1"
    ),
}


@pytest.mark.parametrize("facts", SWITCHED.values(), ids=SWITCHED.keys())
@pytest.mark.parametrize("kind", [chunks.COMMAND, chunks.COMMAND_AMF3])
def test_a_command_may_switch_to_amf3_for_its_values(kind: int, facts: bytes):
    selector = b"\0" if kind == chunks.COMMAND_AMF3 else b""
    connecting = selector + amf0.encode("connect") + b"\x11\4\1" + facts
    asking = selector + amf0.encode("publish") + b"\x11\4\5\x11\1\x11\6\7key\x11\6\x09live"
    session = greeted()
    sent = [write_message(Message(kind, 0, payload, 1), 3, 128) for payload in (connecting, asking)]
    assert events(session, *sent) == [PublishRequest("live", "key")]


@given(st.binary(max_size=300))
def test_any_bytes_after_the_switch_to_amf3_are_values_or_the_end(data: bytes):
    assert amf0.decode(b"\2\0\1a\x11" + data)[0] == "a"


@pytest.mark.parametrize(
    "value", [b"\x09\x03\1" * 3000, b"\x09\x81\x80\x80\x81\1", b"\x0a\x07\3x", b"\x0d\x83\xff\xff\xff\0"]
)
def test_a_value_of_amf3_without_an_end_ends_the_command(value: bytes):
    assert amf0.decode(amf0.encode("a") + b"\x11" + value + amf0.encode("b")) == ["a"]
