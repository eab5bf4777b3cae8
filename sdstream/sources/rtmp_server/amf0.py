"""Action Message Format 0 (Adobe, 2007), the part for RTMP commands, read with every length checked."""

import contextlib
import struct
from collections.abc import Mapping
from typing import Any

from sdstream.errors import Lost
from sdstream.sources.rtmp_server import amf3

Value = Any  # None, bool, float, str, dict[str, Value] or list[Value]: AMF is typed at run time only

_NUMBER, _BOOLEAN, _STRING, _OBJECT, _NULL, _UNDEFINED = 0, 1, 2, 3, 5, 6
_ECMA_ARRAY, _END, _STRICT_ARRAY, _DATE, _LONG_STRING, _XML, _TYPED_OBJECT = 8, 9, 10, 11, 12, 15, 16
_REFERENCE, _UNSUPPORTED, _AMF3 = 7, 13, 17
_DEEPEST = 8
_MOST_VALUES = 4096


class ProtocolError(Lost):
    """A peer broke the rules of RTMP; the server disconnects the peer, and nothing more happens."""


def encode(*values: Value) -> bytes:
    """Return `values` encoded in order. Raises TypeError for a type that AMF0 lacks."""
    return b"".join(_encode(value) for value in values)


def _encode(value: Value) -> bytes:
    if value is None:
        return bytes([_NULL])
    if isinstance(value, bool):
        return bytes([_BOOLEAN, value])
    if isinstance(value, (int, float)):
        return struct.pack(">Bd", _NUMBER, value)
    if isinstance(value, str):
        return bytes([_STRING]) + _short(value)
    if isinstance(value, Mapping):
        fields = b"".join(_short(key) + _encode(item) for key, item in value.items())
        return bytes([_OBJECT]) + fields + bytes([0, 0, _END])
    raise TypeError(f"AMF0 has no {type(value).__name__}")


def _short(text: str) -> bytes:
    data = text.encode()[:0xFFFF]
    return struct.pack(">H", len(data)) + data


def decode(data: bytes) -> list[Value]:
    """Return the values in `data` before the first unreadable value.

    Unreadable are a cut value, an unknown type, more than 8 levels, and all values after the first 4096. A value that
    switches to AMF3 is read as a value of AMF0; a reference to an earlier value is None.
    """
    reader = _Reader(data)
    values = []
    with contextlib.suppress(ProtocolError):
        while reader.left:
            values.append(reader.value(0))
    return values


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._offset = 0
        self._values = 0

    @property
    def left(self) -> int:
        return len(self._data) - self._offset

    def value(self, depth: int) -> Value:
        self._values += 1
        if depth > _DEEPEST or self._values > _MOST_VALUES:
            raise ProtocolError(f"AMF0: more than {_DEEPEST} levels or {_MOST_VALUES} values")
        kind = self._take(1)[0]
        if kind in {_NUMBER, _DATE}:
            (number,) = struct.unpack(">d", self._take(8))
            if kind == _DATE:
                self._take(2)  # time zone, ignored
            return number
        if kind == _BOOLEAN:
            return bool(self._take(1)[0])
        if kind == _STRING:
            return self._text(2)
        if kind in {_LONG_STRING, _XML}:
            return self._text(4)
        if kind in {_NULL, _UNDEFINED, _UNSUPPORTED}:
            return None
        if kind == _REFERENCE:
            self._take(2)
            return None
        if kind == _AMF3:
            return self._switched()
        return self._compound(kind, depth)

    def _switched(self) -> Value:
        try:
            found, self._offset = amf3.read(self._data, self._offset)
        except amf3.UnreadableError as error:
            raise ProtocolError(str(error)) from error
        return found

    def _compound(self, kind: int, depth: int) -> Value:
        if kind == _STRICT_ARRAY:
            return [self.value(depth + 1) for _ in range(self._count())]
        if kind == _ECMA_ARRAY:
            self._count()  # ignored, because some encoders write a wrong count; the end marker counts
        elif kind == _TYPED_OBJECT:
            self._text(2)
        elif kind != _OBJECT:
            raise ProtocolError(f"AMF0: unknown type {kind}")
        return self._fields(depth)

    def _fields(self, depth: int) -> dict[str, Value]:
        found: dict[str, Value] = {}
        while self.left:
            key = self._text(2)
            if not key and self.left and self._data[self._offset] == _END:
                self._take(1)
                break
            found[key] = self.value(depth + 1)
        return found

    def _count(self) -> int:
        (count,) = struct.unpack(">I", self._take(4))
        return min(int(count), _MOST_VALUES + 1)

    def _text(self, width: int) -> str:
        length = int.from_bytes(self._take(width), "big")
        return self._take(length).decode("utf-8", "replace")

    def _take(self, count: int) -> bytes:
        if count > self.left:
            raise ProtocolError(f"AMF0: the data ends early; expected {count} more bytes, got {self.left}")
        self._offset += count
        return self._data[self._offset - count : self._offset]
