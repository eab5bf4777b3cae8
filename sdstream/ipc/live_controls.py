"""The controls as they are now, in shared memory: the supervisor sets them, the engine reads them each frame.

They survive a crash of the engine: its successor goes on with what the user last asked for.
"""

from multiprocessing.sharedctypes import RawArray
from typing import Any

from sdstream.controls import Controls
from sdstream.errors import Bug

_ROOM = 1 << 20


class LiveControls:
    """One writer, any number of readers; may be sent to spawned processes."""

    def __init__(self, controls: Controls) -> None:
        """Begin with `controls`."""
        self._text: Any = RawArray("B", _ROOM)  # ctypes arrays have no static type
        self._marks: Any = RawArray("q", 2)  # version (odd while it is being written), length
        self._version = 0
        self._seen = controls
        self.set(controls)

    def set(self, controls: Controls) -> None:
        """Publish `controls` as a whole. Raises Bug if they take more than 1 MiB as JSON."""
        text = controls.model_dump_json().encode()
        if len(text) > _ROOM:
            raise Bug(f"controls of {len(text)} bytes do not fit {_ROOM}")
        self._marks[0] += 1
        memoryview(self._text).cast("B")[: len(text)] = text
        self._marks[1] = len(text)
        self._marks[0] += 1

    def get(self) -> Controls:
        """Return the newest whole controls; the same object until they change."""
        version = self._marks[0]
        if version == self._version or version % 2:
            return self._seen
        text = bytes(memoryview(self._text).cast("B")[: self._marks[1]])
        if self._marks[0] == version:
            self._seen, self._version = Controls.model_validate_json(text), version
        return self._seen
