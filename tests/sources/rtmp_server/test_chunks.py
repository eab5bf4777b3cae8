"""Chunks and AMF0 come out as they went in, and any bytes are survived."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sdstream.sources.rtmp_server import amf0, chunks
from sdstream.sources.rtmp_server.chunks import ChunkReader, Message, write_message
from tests.sources.rtmp_server.amf0_values import split, values


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
    st.lists(values, max_size=4), st.sampled_from([b"\x11\x0a\x0b\5x", b'{"gps": 1}', b"\2\0\x99cut", b"\3\0\1a\x0d"])
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


@pytest.mark.parametrize("base", [(1 << 24) - 60, (1 << 31) - 60, (1 << 32) - 60], ids=["2^24", "2^31", "2^32"])
@pytest.mark.parametrize("repeats", [True, False])
def test_times_go_on_over_each_border(base, repeats):
    sent = [((base + 40 * number) & 0xFFFFFFFF, bytes([number + 7]) * 300) for number in range(4)]
    data = b""
    for stamp, load in sent:
        extended = stamp >= 0xFFFFFF
        again = stamp.to_bytes(4, "big") if extended and repeats else b""
        plain = write_message(Message(chunks.VIDEO, min(stamp, 0xFFFFFF), load, 1), 4, 128)
        head = plain[:12] + (stamp.to_bytes(4, "big") if extended else b"")
        data += head + (b"\xc4" + again).join(load[place : place + 128] for place in range(0, len(load), 128))
    got = read(ChunkReader(1000), [data])
    assert [(message.timestamp, message.payload) for message in got] == sent


def test_steps_go_on_over_the_border_of_32_bits():
    first = chunked(0, (1 << 32) - 20, b"first", repeat=None)
    step = bytes([1 << 6 | 4]) + (40).to_bytes(3, "big") + (4).to_bytes(3, "big") + bytes([chunks.VIDEO]) + b"next"
    got = read(ChunkReader(1000), [first + step])
    assert [message.timestamp for message in got] == [(1 << 32) - 20, 20]


def test_a_message_that_was_given_up_is_forgotten():
    reader = ChunkReader(1000)
    whole = write_message(Message(chunks.VIDEO, 9, b"a" * 300, 1), 4, 128)
    got = read(reader, [whole[:140] + write_message(Message(chunks.VIDEO, 10, b"b" * 200, 1), 4, 128)])
    assert [(message.timestamp, message.payload) for message in got] == [(10, b"b" * 200)]
    assert reader.held == 0
