"""Action Message Format 3 (Adobe, 2013), for the values of a command that switch to AMF3; every length is checked.

Flash programs with `objectEncoding` 3 write so. A reference to a value outside the switched value is read as None.
"""

import struct
from typing import Any

Value = Any  # None, bool, float, str, dict[str, Value] or list[Value]

_UNDEFINED, _NULL, _FALSE, _TRUE, _INTEGER, _DOUBLE, _STRING, _XML, _DATE, _ARRAY = range(10)
_OBJECT, _XML_TEXT, _BYTES, _INTEGERS, _UNSIGNED, _DOUBLES, _OBJECTS, _DICTIONARY = range(10, 18)
_SIMPLE = {_UNDEFINED: None, _NULL: None, _FALSE: False, _TRUE: True}
_NUMBERS = {_INTEGERS: (">i", 4), _UNSIGNED: (">I", 4), _DOUBLES: (">d", 8)}
_DEEPEST = 8
_MOST_VALUES = 4096


class UnreadableError(ValueError):
    """The bytes are no value of AMF3, or the value is too deep or too large."""


def read(data: bytes, offset: int) -> tuple[Value, int]:
    """Return the value at `offset`, and the offset after the value. Raises UnreadableError.

    Unreadable are more than 8 levels, more than 4096 values, and types that only a program of the peer can read.
    """
    reader = _Reader(data, offset)
    return reader.value(0), reader.offset


class _Reader:
    def __init__(self, data: bytes, offset: int) -> None:
        self._data = data
        self.offset = offset
        self._values = 0
        self._strings: list[str] = []
        self._objects: list[Value] = []
        self._traits: list[tuple[list[str], bool]] = []  # names of the members, and whether more members follow

    def value(self, depth: int) -> Value:
        self._values += 1
        if depth > _DEEPEST or self._values > _MOST_VALUES:
            raise UnreadableError(f"AMF3: more than {_DEEPEST} levels or {_MOST_VALUES} values")
        kind = self._take(1)[0]
        if kind in _SIMPLE:
            return _SIMPLE[kind]
        if kind == _INTEGER:
            number = self._u29()
            return float(number - (1 << 29) if number >= 1 << 28 else number)
        if kind == _DOUBLE:
            return struct.unpack(">d", self._take(8))[0]
        if kind == _STRING:
            return self._string()
        return self._referable(kind, depth)

    def _referable(self, kind: int, depth: int) -> Value:
        """Read a value of a type whose later copies are references."""
        head = self._u29()
        if not head & 1:
            index = head >> 1
            return self._objects[index] if index < len(self._objects) else None
        place = len(self._objects)
        self._objects.append(None)  # a value within itself is read as None
        found = self._body(kind, head >> 1, depth)
        self._objects[place] = found
        return found

    def _body(self, kind: int, size: int, depth: int) -> Value:
        if kind == _DATE:
            return struct.unpack(">d", self._take(8))[0]
        if kind in {_XML, _XML_TEXT, _BYTES}:
            return self._take(size).decode("utf-8", "replace")
        if kind == _ARRAY:
            named = self._named(depth)
            listed = [self.value(depth + 1) for _ in range(self._count(size))]
            return named | {str(index): item for index, item in enumerate(listed)} if named else listed
        if kind == _OBJECT:
            return self._object(size, depth)
        if kind in _NUMBERS:
            self._take(1)  # whether the length is fixed
            form, width = _NUMBERS[kind]
            data = self._take(self._count(size) * width)
            return [float(number) for (number,) in struct.iter_unpack(form, data)]
        if kind == _OBJECTS:
            self._take(1)
            self._string()  # the name of the type
            return [self.value(depth + 1) for _ in range(self._count(size))]
        if kind == _DICTIONARY:
            self._take(1)  # whether the keys are weak
            pairs = [(self.value(depth + 1), self.value(depth + 1)) for _ in range(self._count(size))]
            return {key: item for key, item in pairs if isinstance(key, str)}
        raise UnreadableError(f"AMF3: unknown type {kind}")

    def _object(self, head: int, depth: int) -> dict[str, Value]:
        if not head & 1:
            index = head >> 1
            if index >= len(self._traits):
                raise UnreadableError("AMF3: an object of a class that is not there")
            names, is_open = self._traits[index]
        elif head & 2:
            raise UnreadableError("AMF3: an object that only the peer's program can read")
        else:
            self._string()  # the name of the class
            names, is_open = [self._string() for _ in range(self._count(head >> 3))], bool(head & 4)
            self._traits.append((names, is_open))
        found = {name: self.value(depth + 1) for name in names}
        return found | self._named(depth) if is_open else found

    def _named(self, depth: int) -> dict[str, Value]:
        found: dict[str, Value] = {}
        while key := self._string():
            found[key] = self.value(depth + 1)
        return found

    def _string(self) -> str:
        head = self._u29()
        if not head & 1:
            index = head >> 1
            return self._strings[index] if index < len(self._strings) else ""
        text = self._take(head >> 1).decode("utf-8", "replace")
        if text:  # the empty text is never a reference
            self._strings.append(text)
        return text

    def _count(self, count: int) -> int:
        if count > _MOST_VALUES:
            raise UnreadableError(f"AMF3: {count} values; expected at most {_MOST_VALUES}")
        return count

    def _u29(self) -> int:
        number = 0
        for _ in range(3):
            byte = self._take(1)[0]
            number = number << 7 | byte & 0x7F
            if byte < 0x80:
                return number
        return number << 8 | self._take(1)[0]

    def _take(self, count: int) -> bytes:
        if count > len(self._data) - self.offset:
            raise UnreadableError("AMF3: the data ends early")
        self.offset += count
        return self._data[self.offset - count : self.offset]
