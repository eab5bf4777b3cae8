"""Reads OSC datagrams from strangers (OSC 1.0: messages and bundles).

Bundles are read here, because python-osc reads a bundle with a negative length for ever; messages are python-osc's.
"""

import re
import struct
from collections.abc import Iterator

from pythonosc.osc_message import OscMessage, ParseError

Argument = float | int | bool | str | None
LARGEST = 16 * 1024
"""Bytes of a datagram at most: a prompt has 10,000 characters."""
_BUNDLE = b"#bundle\0"
_HEADER = len(_BUNDLE) + 8  # with the time tag: a change is taken at once
_LENGTH = struct.Struct(">i")
_MOST = 128  # messages of a datagram
_ADDRESS = re.compile(rb"/[\x21-\x7e]{0,512}")
_TYPES = re.compile(rb"(,[ifdhsTFN]{0,8})?")  # python-osc logs a line for each other type


class Malformed(ValueError):
    """A datagram that is no OSC, or has values that no control takes."""


def messages(datagram: bytes) -> Iterator[tuple[str, list[Argument]]]:
    """Return the address and the arguments of each message, in order. Raises Malformed at the first mistake."""
    if len(datagram) > LARGEST:
        raise Malformed(f"a datagram has {LARGEST} bytes at most")
    waiting, count = [datagram], 0
    while waiting:
        part = waiting.pop()
        if part.startswith(_BUNDLE):
            waiting += reversed(list(_parts(part)))
        else:
            yield _message(part)
            count += 1
        if len(waiting) + count > _MOST:
            raise Malformed(f"a datagram has {_MOST} messages at most")


def _parts(bundle: bytes) -> Iterator[bytes]:
    at = _HEADER
    while at < len(bundle):
        if at + _LENGTH.size > len(bundle):
            raise Malformed("a bundle is cut")
        (length,) = _LENGTH.unpack_from(bundle, at)
        at += _LENGTH.size
        if not 0 < length <= len(bundle) - at:
            raise Malformed("a bundle has a part of impossible length")
        yield bundle[at : at + length]
        at += length


def _message(data: bytes) -> tuple[str, list[Argument]]:
    address, at = _text(data, 0)
    types, _ = _text(data, at)
    if not _ADDRESS.fullmatch(address) or not _TYPES.fullmatch(types):
        raise Malformed("no message of numbers, texts and switches")
    try:
        message = OscMessage(data)
    except (ParseError, UnicodeDecodeError, struct.error, IndexError) as error:
        raise Malformed("a message with values that do not fit the types") from error
    return message.address, list(message.params)


def _text(data: bytes, begin: int) -> tuple[bytes, int]:
    """Return the text at `begin`, and the place behind the zeros that fill the text up to a multiple of four bytes."""
    if begin >= len(data):
        return b"", begin
    end = data.find(b"\0", begin)
    behind = (end // 4 + 1) * 4
    if end < 0 or data[end:behind].strip(b"\0"):
        raise Malformed("a text without an end")
    return data[begin:end], behind
