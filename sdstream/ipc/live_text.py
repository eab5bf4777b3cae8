"""A text in shared memory, replaced as a whole: a single writer, any number of readers, no waiting (a seqlock).

The version is odd during a write. A reader copies the text and then reads the version again: if the version changed,
the copy may be torn, and the reader keeps the text from before.
"""

from multiprocessing.sharedctypes import RawArray
from typing import Any

from sdstream.errors import Bug
from sdstream.ipc.fence import fence

_VERSION, _LENGTH = range(2)


class LiveText:
    """May be sent to spawned processes. A writer killed in the middle of `set` harms neither side."""

    def __init__(self, capacity: int, text: str = "") -> None:
        """Begin with `text`, as version 1; no text may take more than `capacity` bytes as UTF-8."""
        self.capacity = capacity
        self._bytes: Any = RawArray("B", capacity)  # ctypes arrays have no static type
        self._marks: Any = RawArray("q", 2)
        self._seen = (0, "")
        self.set(text)

    def set(self, text: str) -> int:
        """Publish `text`, and return the new version. Raises Bug if the text is too long."""
        data = text.encode()
        if len(data) > self.capacity:
            raise Bug(f"a text of {len(data)} bytes does not fit into {self.capacity} bytes")
        writing = (self._marks[_VERSION] + 1) | 1  # odd even if a killed writer left the version odd
        self._marks[_VERSION] = writing
        fence()
        memoryview(self._bytes).cast("B")[: len(data)] = data
        self._marks[_LENGTH] = len(data)
        fence()
        self._marks[_VERSION] = writing + 1
        return int(writing + 1) // 2

    def get(self) -> tuple[int, str]:
        """Return the version and the newest complete text; the same object until the text changes."""
        version = int(self._marks[_VERSION])
        if version == self._seen[0] * 2 or version % 2:
            return self._seen
        fence()
        data = bytes(memoryview(self._bytes).cast("B")[: self._marks[_LENGTH]])
        fence()
        if self._marks[_VERSION] == version:
            self._seen = (version // 2, data.decode())
        return self._seen
