"""A text in shared memory that changes as a whole: one writer, any number of readers, and nobody waits (a seqlock).

The version is odd while the writer is at work. A reader copies the text and looks at the version again: if the
version moved, the copy may be torn, and the reader keeps the text that it had.
"""

from multiprocessing.sharedctypes import RawArray
from typing import Any

from sdstream.errors import Bug
from sdstream.ipc.fence import fence

_VERSION, _LENGTH = range(2)


class LiveText:
    """May be sent to spawned processes. A writer that is killed in the middle of `set` harms neither side."""

    def __init__(self, room: int, text: str = "") -> None:
        """Begin with `text`, as version 1; no text may take more than `room` bytes as UTF-8."""
        self.room = room
        self._bytes: Any = RawArray("B", room)  # ctypes arrays have no static type
        self._marks: Any = RawArray("q", 2)
        self._seen = (0, "")
        self.set(text)

    def set(self, text: str) -> int:
        """Publish `text`, and return its version: one more than the last. Raises Bug if it is too long."""
        data = text.encode()
        if len(data) > self.room:
            raise Bug(f"a text of {len(data)} bytes does not fit {self.room}")
        writing = (self._marks[_VERSION] + 1) | 1  # still odd after a writer that was killed at work
        self._marks[_VERSION] = writing
        fence()
        memoryview(self._bytes).cast("B")[: len(data)] = data
        self._marks[_LENGTH] = len(data)
        fence()
        self._marks[_VERSION] = writing + 1
        return int(writing + 1) // 2

    def get(self) -> tuple[int, str]:
        """Return the newest whole text and its version; the same object until the text changes."""
        version = int(self._marks[_VERSION])
        if version == self._seen[0] * 2 or version % 2:
            return self._seen
        fence()
        data = bytes(memoryview(self._bytes).cast("B")[: self._marks[_LENGTH]])
        fence()
        if self._marks[_VERSION] == version:
            self._seen = (version // 2, data.decode())
        return self._seen
