"""The controls in force, in shared memory: the control desk writes, the engine and the sinks read at each frame.

The controls survive a crash of the engine: the next engine process goes on with the user's last change.
"""

from sdstream.controls import Controls
from sdstream.ipc.live_text import LiveText

CAPACITY = 1 << 20
"""Bytes of the largest controls as JSON."""


class LiveControls:
    """A single writer (the desk), any number of readers; may be sent to spawned processes."""

    def __init__(self, controls: Controls) -> None:
        """Begin with `controls`, as version 1."""
        self._text = LiveText(CAPACITY, controls.model_dump_json())
        self._seen = (1, controls)

    @property
    def version(self) -> int:
        """Version of the controls returned by the last `get` in this process; counts up from 1 with every change."""
        return self._seen[0]

    def set(self, controls: Controls) -> int:
        """Publish all `controls` together, and return the new version. Raises Bug above `CAPACITY` bytes."""
        return self._text.set(controls.model_dump_json())

    def get(self) -> Controls:
        """Return the newest complete controls; the same object until a change."""
        version, text = self._text.get()
        if version > self._seen[0]:
            self._seen = (version, Controls.model_validate_json(text))
        return self._seen[1]
