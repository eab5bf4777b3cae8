"""Controls that follow the level of the source's sound."""

from typing import Any

from sdstream.audio.ring import AudioRing
from sdstream.config.surfaces import Modulation
from sdstream.control.surfaces.envelope import Envelope, window
from sdstream.controls.knobs import knob_of

_SMALLEST = 1 / 500  # of the way from low to high: a smaller change is not worth a patch


class Follower:
    """A control and the envelope that the control follows."""

    def __init__(self, settings: Modulation) -> None:
        self.control = settings.control
        knob = knob_of(settings.control)
        assert knob is not None  # the settings were checked
        self._knob = knob
        self._low, self._high = settings.ends
        self._envelope = Envelope(settings.floor, settings.ceiling, settings.attack, settings.release)
        self._last: float | None = None

    def at(self, ring: AudioRing, now: float) -> dict[str, Any]:
        """Return the new value of the control by name; nothing while the value hardly changes."""
        level = self._envelope.at(ring.read(*window(now)), now)
        if self._last is not None and abs(level - self._last) < _SMALLEST:
            return {}
        self._last = level
        return {self.control: self._knob.value(self._low + (self._high - self._low) * level)}
