"""The controls as they are now, in shared memory: the desk sets them, the engine and the sinks read them each frame.

They survive a crash of the engine: its successor goes on with what the user last asked for.
"""

from sdstream.controls import Controls
from sdstream.ipc.live_text import LiveText

ROOM = 1 << 20
"""Bytes that controls may take as JSON."""


class LiveControls:
    """One writer (the desk), any number of readers; may be sent to spawned processes."""

    def __init__(self, controls: Controls) -> None:
        """Begin with `controls`, as version 1."""
        self._text = LiveText(ROOM, controls.model_dump_json())
        self._seen = (1, controls)

    @property
    def version(self) -> int:
        """Number of the controls that `get` returned last here; counts up from 1 with every change."""
        return self._seen[0]

    def set(self, controls: Controls) -> int:
        """Publish `controls` as a whole, and return their version. Raises Bug if they take more than `ROOM`."""
        return self._text.set(controls.model_dump_json())

    def get(self) -> Controls:
        """Return the newest whole controls; the same object until they change."""
        version, text = self._text.get()
        if version > self._seen[0]:
            self._seen = (version, Controls.model_validate_json(text))
        return self._seen[1]
