"""OSC datagrams of friends and of strangers."""

import random

import pytest
from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message_builder import OscMessageBuilder

from sdstream.control.surfaces.osc_datagram import LARGEST, Malformed, messages


def message(address, *values):
    builder = OscMessageBuilder(address)
    for value in values:
        builder.add_arg(value)
    return builder.build()


def bundle(*parts):
    builder = OscBundleBuilder(IMMEDIATELY)
    for part in parts:
        builder.add_content(part)
    return builder.build()


def test_messages_and_bundles_are_read_in_order() -> None:
    inner = bundle(message("/b", 2), message("/c", "é"))
    data = bundle(message("/a", 1.5), inner, message("/d", True, None)).dgram
    assert list(messages(data)) == [("/a", [1.5]), ("/b", [2]), ("/c", ["é"]), ("/d", [True, None])]


def framed(part: bytes, length: int | None = None) -> bytes:
    return b"#bundle\0" + bytes(8) + (len(part) if length is None else length).to_bytes(4, "big", signed=True) + part


GOOD = message("/guidance/scale", 2.5).dgram
BAD = {
    "nothing": b"",
    "no address": b"guidance\0\0\0\0,f\0\0" + bytes(4),
    "negative length": framed(GOOD, -4),
    "length of zero": framed(GOOD, 0),
    "longer than the datagram": framed(GOOD, 4096),
    "cut length": framed(GOOD)[:18],
    "half a text": b"/prompt\0,s\0\0ink\xe9",
    "unknown type": b"/a\0\0,q\0\0",
    "padding with text": b"/a\0b,f\0\0" + bytes(4),
    "too large": message("/prompt", "x" * LARGEST).dgram,
    "blob": message("/a", b"bytes").dgram,
    "too many": bundle(*[message("/a", 1)] * 200).dgram,
}


@pytest.mark.parametrize("kind", BAD)
def test_a_malformed_datagram_is_refused(kind: str) -> None:
    with pytest.raises(Malformed):
        list(messages(BAD[kind]))


def test_bundles_in_bundles_exhaust_no_stack() -> None:
    data = GOOD
    while len(data) < LARGEST - 20:
        data = framed(data)
    assert list(messages(data)) == [("/guidance/scale", [2.5])]


def test_random_damage_is_read_or_refused_and_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    rng, seeds = random.Random(5), [GOOD, bundle(message("/a", 1), bundle(message("/prompt", "ink"))).dgram]
    outcomes = set()
    for _ in range(5_000):
        data = bytearray(rng.choice(seeds))
        for _ in range(rng.randrange(1, 5)):
            data[rng.randrange(len(data))] = rng.choice((0, 255, 44, rng.randrange(256)))
        try:
            outcomes.add(bool(list(messages(bytes(data)))))
        except Malformed:
            outcomes.add(None)
    assert outcomes == {True, None}
    assert capsys.readouterr() == ("", "")
