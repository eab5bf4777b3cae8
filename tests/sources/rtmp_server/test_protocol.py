"""The RTMP protocol without sockets: any bytes, in any pieces."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdstream.sources.rtmp_server import amf0, chunks
from sdstream.sources.rtmp_server.amf0 import ProtocolError
from sdstream.sources.rtmp_server.chunks import Message, write_message
from sdstream.sources.rtmp_server.events import Media, PublishFinished, PublishRequest
from sdstream.sources.rtmp_server.protocol import (
    HANDSHAKE,
    LONGEST_MEDIA,
    MOST_BYTES,
    MOST_MESSAGES,
    RtmpSession,
)
from tests.sources.rtmp_server.amf0_values import split, values
from tests.sources.rtmp_server.rtmp_client import answers, ask, command, connect, hello, media, metadata
from tests.sources.rtmp_server.sessions import events, greeted, publishing

MEMORY = 3 * LONGEST_MEDIA


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
        ("onFCPublish", 0.0),
        ("_result", 4.0),
        ("onStatus", 0.0),
    ]
    assert replies[4][3] == 1.0
    assert replies[5][3]["code"] == "NetStream.Publish.Start"


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


TINY = write_message(Message(chunks.AUDIO, 0, b"\xaf", 1), 4, 128) + b"\xc4\xaf" * 1000


SMALL_CHUNKS = write_message(Message(chunks.SET_CHUNK_SIZE, 0, (1).to_bytes(4, "big")), 2, 128) + b"\4" + bytes(4)


FLOODS = {
    "sounds of a byte": TINY,
    "pings": write_message(Message(chunks.USER_CONTROL, 0, b"\0\6\0\0\0\7"), 2, 128) * 200,
    "chunks of a byte": SMALL_CHUNKS + b"\xff\xff\x08\1\0\0\0\0" + b"\xc4\0" * 20_000,
    "commands": command("createStream", 4, None) * 200,
    "a long message": write_message(Message(chunks.VIDEO, 0, bytes(60_000), 1), 4, 128),
}


@pytest.mark.parametrize("flood", FLOODS.values(), ids=FLOODS)
@pytest.mark.parametrize("before", [b"", connect()], ids=["before connect", "after connect"])
def test_a_stranger_has_a_budget_of_bytes_and_messages(before, flood):
    session = greeted()
    with pytest.raises(ProtocolError):
        events(session, before, *(flood[place : place + 2048] for place in range(0, len(flood), 2048)))
    assert session._received <= MOST_BYTES + 2048
    assert session._messages <= MOST_MESSAGES + 1


def test_a_publisher_has_no_budget():
    session = publishing()
    events(session, TINY * 40)
    assert events(session, media(chunks.VIDEO, 40, b"\x27picture")) == [Media(chunks.VIDEO, 40, b"\x27picture")]


def test_steps_are_counted():
    session = RtmpSession()
    steps = [session.progress]
    for piece in (hello(), bytes(HANDSHAKE), connect(), ask("key")):
        events(session, piece)
        steps.append(session.progress)
    assert steps == [0, 1, 2, 3, 5]


def test_unfinished_messages_take_bounded_memory():
    session = publishing()
    big = (LONGEST_MEDIA).to_bytes(3, "big")
    session._reader.chunk_size = LONGEST_MEDIA - 1  # so that each of these is a chunk, and a message but for one byte
    chunk = bytes(3) + big + b"\x09\1\0\0\0" + bytes(LONGEST_MEDIA - 1)
    events(session, bytes([10]) + chunk, bytes([11]) + chunk)
    with pytest.raises(ProtocolError, match="unfinished"):
        events(session, bytes([12]) + chunk[:-1])


PUBLISH = ("publish", 5, None, "key", "live")
ORDERS = {
    "OBS": (ask("key"),),
    "no createStream": (command(*PUBLISH, message_stream=1),),
    "no message stream": (command("createStream", 4, None), command(*PUBLISH)),
    "createStream last": (command(*PUBLISH, message_stream=1), command("createStream", 6, None)),
    "a stream of its own number": (command(*PUBLISH, message_stream=9),),
    "twice createStream": (command("createStream", 2, None) * 2, command(*PUBLISH, message_stream=1)),
    "unknown commands": (command("setPeerInfo", 0, None, {}), command("_checkbw", 3, None), ask("key")),
    "record": (command("publish", 5, None, "key", "record", message_stream=1),),
    "no kind of publication": (command("publish", 5, None, "key", message_stream=1),),
    "AMF3 messages": tuple(
        write_message(Message(chunks.COMMAND_AMF3, 0, selector + amf0.encode(*PUBLISH), 1), 3, 128)
        for selector in (b"\0",)
    ),
    "AMF3 without the first byte": (write_message(Message(chunks.COMMAND_AMF3, 0, amf0.encode(*PUBLISH), 1), 3, 128),),
}


@pytest.mark.parametrize("pieces", ORDERS.values(), ids=ORDERS)
def test_programs_may_ask_in_their_own_order(pieces):
    session = greeted()
    got = events(session, connect(), *pieces, media(chunks.VIDEO, 40, b"\x27picture"))
    assert got == [PublishRequest("live", "key"), Media(chunks.VIDEO, 40, b"\x27picture")]
    (status,) = [values for values in answers(session.outgoing()[1 + 2 * HANDSHAKE :]) if values[0] == "onStatus"]
    assert status[3]["code"] == "NetStream.Publish.Start"


def test_bytes_are_acknowledged_without_being_asked():
    session = publishing()
    for _ in range(3):
        events(session, write_message(Message(chunks.VIDEO, 0, bytes(1_000_000), 1), 4, 128))
    assert session.outgoing()[7] == chunks.ACKNOWLEDGEMENT


@pytest.mark.parametrize("size", [1, 2, 127, 128, 65536, 8 << 20, 16 << 20, 0x7FFFFFFF])
def test_every_chunk_size_is_understood(size):
    picture = b"\x27" + bytes(range(256)) * 40
    session = publishing()
    announced = write_message(Message(chunks.SET_CHUNK_SIZE, 0, size.to_bytes(4, "big")), 2, 128)
    got = events(session, announced, *[write_message(Message(chunks.VIDEO, 40, picture, 1), 4, size)] * 2)
    assert got == [Media(chunks.VIDEO, 40, picture)] * 2
