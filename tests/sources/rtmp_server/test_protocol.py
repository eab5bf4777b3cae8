"""The RTMP protocol without sockets: any bytes, in any pieces."""

import contextlib
import itertools

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sdstream.sources.rtmp_server import amf0, chunks
from sdstream.sources.rtmp_server.amf0 import ProtocolError
from sdstream.sources.rtmp_server.chunks import ChunkReader, Message, write_message
from sdstream.sources.rtmp_server.protocol import (
    HANDSHAKE,
    LONGEST_MEDIA,
    Media,
    PublishFinished,
    PublishRequest,
    RtmpSession,
)
from tests.sources.rtmp_server.rtmp_client import answers, ask, command, connect, hello, media, metadata
from tests.sources.rtmp_server.sessions import events, greeted, publishing

MEMORY = 3 * LONGEST_MEDIA
names = st.text(max_size=20)
values = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | names,
    lambda inner: st.dictionaries(names.filter(bool), inner, max_size=4),
    max_leaves=8,
)


def split(data, cuts):
    """Cut `data` at some places, as a network does."""
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[begin:end] for begin, end in itertools.pairwise(places)]


def read(reader, pieces):
    """Feed a reader, and return its messages."""
    got = []
    for piece in pieces:
        reader.feed(piece)
        got += iter(reader.next_message, None)
    return got


@given(st.lists(values, max_size=4))
def test_amf0_is_read_as_it_was_written(things):
    assert amf0.decode(amf0.encode(*things)) == things


@given(st.binary(max_size=300))
def test_any_bytes_can_be_read_as_amf0(data):
    assert isinstance(amf0.decode(data), list)


@given(
    st.lists(values, max_size=4), st.sampled_from([b"\x11\x0a\x0b\1", b'{"gps": 1}', b"\2\0\x99cut", b"\3\0\1a\x0d"])
)
def test_amf0_is_read_up_to_the_first_unreadable_value(things, odd):
    assert amf0.decode(amf0.encode(*things) + odd + amf0.encode(1.0)) == things


@pytest.mark.parametrize("data", [b"\3\0\1a" * 500, b"\x0a\xff\xff\xff\xff" * 9, b"\x0a\0\xff\xff\xff" + b"\5" * 70000])
def test_amf0_that_is_too_deep_or_too_long_is_not_read(data):
    assert amf0.decode(data) == []


messages = st.builds(
    Message,
    st.sampled_from([chunks.AUDIO, chunks.VIDEO, chunks.DATA]),
    st.integers(0, 0xFFFFFE),
    st.binary(max_size=600),
    st.just(1),
)


@given(st.lists(messages, max_size=8), st.integers(1, 300), st.lists(st.integers(0), max_size=30))
def test_messages_come_out_as_they_went_in_however_they_are_cut(sent, chunk_size, cuts):
    reader = ChunkReader(1000)
    reader.chunk_size = chunk_size
    data = b"".join(write_message(message, 4, chunk_size) for message in sent)
    assert read(reader, split(data, cuts)) == sent
    assert reader.held == 0


def test_later_messages_may_leave_out_what_has_not_changed():
    first = write_message(Message(chunks.VIDEO, 1000, b"abc", 1), 4, 128)
    same_length = bytes([0x80 | 4]) + (40).to_bytes(3, "big") + b"def"
    same_everything = bytes([0xC0 | 4]) + b"ghi"
    reader = ChunkReader(100)
    reader.feed(first + same_length + same_everything)
    times = [reader.next_message().timestamp for _ in range(3)]
    assert times == [1000, 1040, 1080]


def test_extended_timestamps_are_read():
    head = b"\4\xff\xff\xff" + (3).to_bytes(3, "big") + b"\x09\1\0\0\0" + (1 << 31).to_bytes(4, "big")
    reader = ChunkReader(100)
    reader.feed(head + b"abc")
    assert reader.next_message().timestamp == 1 << 31


def chunked(fmt, stamp, payload, *, repeat):
    """Return a message with an extended timestamp as chunks of 128 bytes; `fmt` 1 means that `stamp` is a step."""
    extended = stamp.to_bytes(4, "big")
    head = bytes([fmt << 6 | 4]) + b"\xff\xff\xff" + len(payload).to_bytes(3, "big") + bytes([chunks.VIDEO])
    head += (b"" if fmt else b"\1\0\0\0") + extended
    between = b"\xc4" + (repeat or b"")
    return head + between.join(payload[i : i + 128] for i in range(0, len(payload), 128))


@pytest.mark.parametrize("repeats", [True, False])
@given(
    st.lists(st.tuples(st.integers(0xFFFFFF, 2**32 - 1), st.binary(min_size=1, max_size=600)), max_size=6),
    st.lists(st.integers(0), max_size=30),
)
def test_extended_timestamps_may_be_left_out_of_type_3_chunks(repeats, sent, cuts):
    assume(not any(stamp.to_bytes(4, "big") in load for stamp, load in sent))
    data = b"".join(chunked(0, stamp, load, repeat=repeats and stamp.to_bytes(4, "big")) for stamp, load in sent)
    data += write_message(Message(chunks.AUDIO, 7, b"end", 1), 5, 128)
    got = read(ChunkReader(1000), split(data, cuts))
    assert [(message.timestamp, message.payload) for message in got[:-1]] == sent
    assert got[-1].payload == b"end"


@pytest.mark.parametrize("repeated", [None, 0x1000000, 0x1000028], ids=["left out", "step", "absolute time"])
def test_an_extended_step_is_repeated_as_a_step_or_as_a_time(repeated):
    payload = bytes(range(200)) * 2
    repeat = repeated and repeated.to_bytes(4, "big")
    first = write_message(Message(chunks.VIDEO, 0x28, b"first", 1), 4, 128)
    got = read(ChunkReader(1000), [first + chunked(1, 0x1000000, payload, repeat=repeat)])
    assert [(message.timestamp, message.payload) for message in got] == [(0x28, b"first"), (0x1000028, payload)]


@settings(max_examples=400)
@given(st.lists(st.binary(max_size=400), max_size=10), st.booleans())
def test_garbage_is_a_protocol_error_and_nothing_else(pieces, let_in):
    session = publishing() if let_in else RtmpSession()
    with contextlib.suppress(ProtocolError):
        events(session, *pieces)
    assert session.held <= MEMORY


frames = st.builds(
    lambda kind, stamp, payload, lane: write_message(Message(kind, stamp, payload, 1), lane, 128),
    st.sampled_from([1, 2, 3, 4, 5, 6, 8, 9, 15, 17, 18, 20, 22, 99]),
    st.integers(0, 0xFFFFFE),
    st.binary(max_size=200) | values.map(lambda value: amf0.encode("publish", 1, value)),
    st.integers(2, 63),
)


@settings(max_examples=400)
@given(st.lists(frames, max_size=12), st.lists(st.integers(0), max_size=10), st.booleans())
def test_any_messages_in_any_order_are_survived(sent, cuts, let_in):
    session = publishing() if let_in else greeted()
    with contextlib.suppress(ProtocolError):
        events(session, *split(b"".join(sent), cuts))
    assert session.held <= MEMORY


@given(st.lists(st.integers(0), max_size=40))
def test_a_publisher_is_understood_however_its_bytes_are_cut(cuts):
    session = RtmpSession()
    key_frame = media(chunks.VIDEO, 40, b"\x17\1\0\0\0picture")
    whole = hello() + bytes(HANDSHAKE) + connect("live/") + ask("the key") + metadata(width=640.0) + key_frame
    got = events(session, *split(whole, cuts))
    assert got[0] == PublishRequest("live", "the key")
    assert got[1].kind == chunks.DATA
    assert got[2:] == [Media(chunks.VIDEO, 40, b"\x17\1\0\0\0picture")]


def test_every_step_is_answered():
    session = RtmpSession()
    events(session, hello(), bytes(HANDSHAKE), connect(), ask("key"))
    replies = answers(session.outgoing()[1 + 2 * HANDSHAKE :])
    assert [(values[0], values[1]) for values in replies] == [
        ("_result", 1.0),
        ("_result", 2.0),
        ("_result", 3.0),
        ("_result", 4.0),
        ("onStatus", 0.0),
    ]
    assert replies[3][3] == 1.0
    assert replies[4][3]["code"] == "NetStream.Publish.Start"


def test_the_handshake_gives_the_peer_its_own_bytes_back():
    session, first = RtmpSession(), hello()
    events(session, first)
    answer = session.outgoing()
    assert (answer[0], len(answer)) == (3, 1 + 2 * HANDSHAKE)
    assert answer[1 + HANDSHAKE :] == first[1:]


def test_a_rejected_peer_hears_why_and_nothing_more_is_read():
    session = RtmpSession()
    for event in session.receive(hello() + bytes(HANDSHAKE) + connect() + ask("x")):
        assert event == PublishRequest("live", "x")
        session.reject("wrong stream key")
    (status,) = [values for values in answers(session.outgoing()[1 + 2 * HANDSHAKE :]) if values[0] == "onStatus"]
    assert (status[3]["level"], status[3]["code"]) == ("error", "NetStream.Publish.BadName")
    assert events(session, media(chunks.VIDEO, 0, b"\x17\1")) == []


def test_a_ping_is_answered_and_a_window_is_acknowledged():
    session = publishing()
    window = write_message(Message(chunks.WINDOW_SIZE, 0, (100).to_bytes(4, "big")), 2, 128)
    ping = write_message(Message(chunks.USER_CONTROL, 0, b"\0\6\0\0\0\7"), 2, 128)
    events(session, window + ping, media(chunks.AUDIO, 0, bytes(100)))
    sent = session.outgoing()
    assert b"\0\7\0\0\0\7" in sent
    assert sent[-9] == chunks.ACKNOWLEDGEMENT or sent[-16 + 7] == chunks.ACKNOWLEDGEMENT


def test_an_aggregate_message_is_split():
    tags = b"".join(
        bytes([kind]) + len(data).to_bytes(3, "big") + stamp.to_bytes(3, "big") + bytes(4) + data + bytes(4)
        for kind, stamp, data in ((chunks.AUDIO, 500, b"sound"), (chunks.VIDEO, 520, b"\x27picture"))
    )
    got = events(publishing(), media(chunks.AGGREGATE, 1000, tags))
    assert got == [Media(chunks.AUDIO, 1000, b"sound"), Media(chunks.VIDEO, 1020, b"\x27picture")]


@pytest.mark.parametrize("kind", [chunks.COMMAND, chunks.COMMAND_AMF3, chunks.DATA, chunks.DATA_AMF3, 16, 19, 99])
@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\0",
        b'{"gps": [1, 2]}',
        b"\0\2\0\x0aonMetaData\x11\x0a",
        b"\3\0\1a" * 500,
        amf0.encode("new", 9, {"a": 1}),
    ],
    ids=["nothing", "zero", "json", "amf3", "deep", "unknown command"],
)
def test_a_publisher_stays_whatever_its_data_and_commands_are(kind, payload):
    session = publishing()
    got = events(session, media(kind, 0, payload), media(chunks.VIDEO, 40, b"\x27picture"))
    assert got[-1] == Media(chunks.VIDEO, 40, b"\x27picture")
    assert all(event.kind == chunks.DATA for event in got[:-1])


def test_an_unreadable_end_of_a_command_does_no_harm():
    session = greeted()
    events(session, connect())
    payload = amf0.encode("publish", 5, None, "key", "live") + b"\x11\x0a"
    got = events(session, write_message(Message(chunks.COMMAND, 0, payload, 1), 3, 128))
    assert got == [PublishRequest("live", "key")]


@pytest.mark.parametrize("name", ["FCUnpublish", "deleteStream", "closeStream"])
def test_a_publication_can_be_ended_politely(name):
    session = publishing()
    assert events(session, command(name, 6, None, "key")) == [PublishFinished()]


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\3\1\2\0",
        b"\6" + bytes(HANDSHAKE),
        hello() + bytes(HANDSHAKE) + command("publish", 1, None, "key"),
        hello() + bytes(HANDSHAKE) + connect() + command("play", 2, None, "key"),
        hello() + bytes(HANDSHAKE) + b"\xc3",
        hello() + bytes(HANDSHAKE) + b"\3\0\0\0\xff\xff\xff\x14\0\0\0\0",
    ],
    ids=["http", "tls", "rtmpe", "no connect", "viewer", "no header", "16 MB before being let in"],
)
def test_a_peer_that_does_not_publish_is_turned_away(data):
    with pytest.raises(ProtocolError):
        events(RtmpSession(), data)


def test_unfinished_messages_take_bounded_memory():
    session = publishing()
    big = (LONGEST_MEDIA).to_bytes(3, "big")
    session._reader.chunk_size = LONGEST_MEDIA - 1  # so that each of these is a chunk, and a message but for one byte
    chunk = bytes(3) + big + b"\x09\1\0\0\0" + bytes(LONGEST_MEDIA - 1)
    events(session, bytes([10]) + chunk, bytes([11]) + chunk)
    with pytest.raises(ProtocolError, match="unfinished"):
        events(session, bytes([12]) + chunk[:-1])
