"""The beat of the music: from a MIDI clock, or tapped."""

import math
from collections import deque
from statistics import median

PULSES = 24
"""Pulses of a MIDI clock for each beat (MIDI 1.0, system real-time messages)."""
_TAPS = 8
_SLOWEST, _FASTEST = 2.0, 0.2  # seconds of a beat: 30 to 300 beats a minute
_CLOCK_GONE = 2.0  # seconds without a pulse


class Beat:
    """Knows when the next beat is. Time is an argument (monotonic seconds)."""

    def __init__(self) -> None:
        self._taps: deque[float] = deque(maxlen=_TAPS)
        self._pulses: deque[float] = deque(maxlen=2 * PULSES + 1)
        self._count = 0
        self._period = 0.0
        self._origin = 0.0
        self._clocked = -math.inf

    @property
    def per_minute(self) -> float:
        """Beats a minute; 0 without a beat."""
        return 60 / self._period if self._period else 0.0

    def tap(self, now: float) -> None:
        """Take a tap as a beat, and as the first beat of a bar where the taps begin anew."""
        if not self._taps or now - self._taps[-1] > _SLOWEST:
            self._taps.clear()
            self._first = now
        self._taps.append(now)
        if len(self._taps) > 1:
            steps = [later - earlier for earlier, later in zip(self._taps, list(self._taps)[1:], strict=False)]
            self._period = max(_FASTEST, median(steps))
            beats = round((now - self._first) / self._period)
            self._origin = now - beats * self._period

    def start(self) -> None:
        """Take the next pulse of the clock as the first beat of a bar."""
        self._count = 0
        self._pulses.clear()

    def pulse(self, now: float) -> None:
        """Take a pulse of a MIDI clock."""
        if self._pulses and now - self._pulses[-1] > _CLOCK_GONE:
            self.start()
        self._pulses.append(now)
        self._clocked = now
        if len(self._pulses) > PULSES:
            self._period = (self._pulses[-1] - self._pulses[0]) / (len(self._pulses) - 1) * PULSES
            self._origin = now - self._count / PULSES * self._period
        self._count += 1

    def stop(self) -> None:
        """Forget the beat: the clock has stopped."""
        self._period = 0.0
        self._taps.clear()
        self.start()

    def next(self, now: float, beats: int) -> float:
        """Return the time of the next beat of which the number is divisible by `beats`; `now` without a beat."""
        if not self._period or not beats or (self._pulses and now - self._clocked > _CLOCK_GONE):
            return now
        length = self._period * beats
        return self._origin + math.ceil((now - self._origin) / length - 1e-6) * length
