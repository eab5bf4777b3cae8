"""How much later than the fastest packets of a track the late packets come. Time is an argument: no clock is read here.

A packet's transit is the time of arrival minus the packet's own time. Both clocks have any origin, so only differences
between transits mean anything. The fastest packets of the last seconds set the floor; a late packet begins an event,
and the event ends when packets come near the floor again. A burst is an event, and so is a hiccup of the network. A
hiccup is no reason to delay a show, so only the second of two events is proof of a depth. Packets that come together at
the opening may be a server's backlog, and are an event only if the caller knows better. Packets that were read late
because this process had no processor say nothing of the network, so that much of their lateness is excused.
"""

from collections import deque
from dataclasses import dataclass

WINDOW = 4.0
"""Seconds of packets behind the floor: long enough for ten bursts of 400 ms, short enough to follow a new route."""
MEMORY = 2.0
"""Seconds for which an event is remembered; `PER_DEPTH` seconds more for each second of the event's size."""
PER_DEPTH = 4.0
GUESS = 1.5
"""Bursts' lengths for which the first burst counts without a second burst, if the first burst comes early."""
EARLY = 2.0
"""Seconds after the opening in which a first burst counts: networks with bursts show the first within a second."""
LEAP = 1.0
"""Seconds by which the packets' own time may run ahead of the clock between two packets; more is a new timeline."""
BACK = 0.1
"""Seconds by which packets' own time may step back; more is a new timeline."""
_SLOTS = 32
_MOST_EVENTS = 64


@dataclass(slots=True)
class _Event:
    began: float
    peak: float
    """Largest transit (seconds)."""


class Arrivals:
    """The arrivals of a track. All times in seconds."""

    def __init__(self, bound: float, noise: float | None = None, *, evidence: int = 2, opening: bool = False) -> None:
        """`bound` limits the depth. `noise` is the lateness of no account; None: three quarters of a packet's spacing.

        `evidence` is the number of events that make a depth. `opening`: whether the packets that come together at the
        opening are an event.
        """
        self._bound = bound
        self._noise = noise
        self._evidence = evidence
        self._opening = opening
        self._window = max(WINDOW, WINDOW * bound)
        self._floors: deque[tuple[int, float]] = deque(maxlen=_SLOTS + 1)  # (slot of time, least transit), rising
        self._events: deque[_Event] = deque(maxlen=_MOST_EVENTS)
        self._in_event = False
        self._excused = 0.0  # seconds of lateness that are this process's own
        self._time = self._now = 0.0
        self._valley = 0.0  # least transit since the last event
        self._beyond: float | None = None  # since when all packets have come later than `bound`
        self._spacing = 0.04
        self._first: _Event | None = None  # the opening
        self._early: _Event | None = None  # the first burst, soon after the opening
        self.floor = 0.0
        """Transit of the fastest packets."""
        self.proven = 0.0
        """Seconds by which the late packets come after the fastest packets, by the evidence; at most `bound`."""
        self.guess = 0.0
        """The same by the first burst alone, if the burst came early, until a second burst should have come."""
        self.timelines = 0
        """How often the packets' own time began anew."""
        self.excess = 0.0
        """Size of the bursts if larger than `bound`; 0 if all are smaller."""

    @property
    def noise(self) -> float:
        """Lateness of no account (seconds)."""
        return self._noise if self._noise is not None else min(0.05, max(0.01, 0.75 * self._spacing))

    @property
    def first(self) -> float:
        """Size of the opening so far (seconds): how long the oldest of its packets had waited."""
        return self._first.peak - self.floor if self._first else 0.0

    @property
    def began(self) -> float | None:
        """Arrival of the first packet of the timeline; None before the first packet."""
        return self._first.began if self._first else None

    @property
    def newest(self) -> float | None:
        """Arrival of the newest packet; None before the first packet."""
        return self._now if self._first else None

    def excuse(self, seconds: float) -> None:
        """Excuse `seconds` of lateness of the next packets, until a packet comes in time."""
        self._excused += seconds

    def note(self, time: float, now: float) -> None:
        """Note the arrival at `now` of the packet with the time `time`."""
        if self._leapt(time - self._time, now - self._now):
            self._begin(now - time, now)
        elif 0 < time - self._time < LEAP:
            self._spacing += (time - self._time - self._spacing) / 16
        self._time, self._now = time, now
        transit = now - time
        self._note_floor(transit, now)
        self._excused = min(self._excused, transit - self.floor)
        self._note_event(transit - self._excused, now)
        self._weigh(now)

    def _leapt(self, step: float, elapsed: float) -> bool:
        return self._first is None or step < -BACK or step - elapsed > max(LEAP, 3 * self._spacing)

    def _begin(self, transit: float, now: float) -> None:
        """Forget the arrivals."""
        self.timelines += 1
        self._floors.clear()
        self._events.clear()
        self._first, self._early = _Event(now, transit), None
        if self._opening:
            self._early = self._first
            self._events.append(self._first)
        self._in_event, self._beyond, self._valley, self._excused = False, None, transit, 0.0

    def _note_floor(self, transit: float, now: float) -> None:
        floors, slot = self._floors, int(now / self._window * _SLOTS)
        while floors and floors[-1][1] >= transit:  # a later packet as fast stays in the window for longer
            floors.pop()
        if not floors or floors[-1][0] != slot:
            floors.append((slot, transit))
        while floors[0][0] < slot - _SLOTS:
            floors.popleft()
        self.floor = floors[0][1]

    def _note_event(self, transit: float, now: float) -> None:
        lateness = transit - self.floor
        if lateness <= self._bound:
            self._beyond = None
        elif self._beyond is None:
            self._beyond = now
        elif now - self._beyond > self._bound:  # all packets are so late: the sender has paused, not the network
            self._begin(now - self._time, now)
            self._note_floor(now - self._time, now)
            return
        self._valley = min(self._valley, transit)
        if not self._in_event and transit - self._valley > self.noise:
            self._events.append(_Event(now, transit))
            self._in_event = True
            if self._early is None and self._first is not None and now - self._first.began < EARLY:
                self._early = self._events[-1]
        elif self._in_event:
            event = self._events[-1]
            event.peak = max(event.peak, transit)
            self._in_event = lateness > (event.peak - self.floor) / 2
            self._valley = transit

    def _weigh(self, now: float) -> None:
        """Weigh the events that are remembered."""
        sizes = sorted(size for event in self._events if (size := self._size(event, now)) > self.noise)
        proven = sizes[-self._evidence] if len(sizes) >= self._evidence else 0.0
        self.excess = proven if proven > self._bound else 0.0
        self.proven = min(proven, self._bound)
        size = self._early.peak - self.floor if self._early else 0.0
        young = self._early is not None and now - self._early.began < GUESS * size + BACK
        self.guess = size if young and self.noise < size <= self._bound else 0.0

    def _size(self, event: _Event, now: float) -> float:
        """Return the size of an event; 0 for a forgotten event."""
        size = event.peak - self.floor
        return size if now - event.began <= MEMORY + PER_DEPTH * size else 0.0
