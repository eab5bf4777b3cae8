"""Plays packets through the jitter buffer's policy, in simulated time."""

import itertools
import random
from collections import deque
from dataclasses import dataclass
from operator import attrgetter

from sdstream.sources.decoding.jitter_buffer import JitterBuffer

LOOK_AGAIN = 0.25
"""Seconds after which the source looks again at the time, although no packet has come."""


@dataclass(frozen=True)
class Packet:
    """A picture's packet: its own time, and the arrival."""

    time: float
    arrived: float


@dataclass(frozen=True)
class Shown:
    """A picture, and when it was shown."""

    packet: Packet
    at: float
    held: float
    """The buffer's delay at that moment."""

    @property
    def delay(self) -> float:
        return self.at - self.packet.arrived


def pictures(seconds, fps=30.0, first=100.0, clock=1.0):
    """Return the times of pictures of a source whose clock runs `clock` times as fast as ours."""
    return [first + number / fps * clock for number in range(int(seconds * fps))]


def smooth(seconds, fps=30.0, start=1000.0, clock=1.0, jitter=0.0, seed=1):
    """Return packets of even arrival; `jitter` (seconds) is the largest random delay."""
    dice = random.Random(seed)
    times = pictures(seconds, fps, clock=clock)
    return in_order([Packet(time, start + number / fps + dice.uniform(0, jitter)) for number, time in enumerate(times)])


def in_order(packets):
    """Return the packets as a connection delivers them: none before an earlier one."""
    arrivals = itertools.accumulate((packet.arrived for packet in packets), max)
    return [Packet(packet.time, arrived) for packet, arrived in zip(packets, arrivals, strict=True)]


def in_bursts(packets, length, origin=None):
    """Return the packets delivered every `length` seconds only."""
    origin = packets[0].arrived if origin is None else origin
    arrive = [origin + ((packet.arrived - origin) // length + 1) * length for packet in packets]
    return [Packet(packet.time, at) for packet, at in zip(packets, arrive, strict=True)]


def stalled(packets, begin, length):
    """Return the packets with a standstill of the network: those of the time between come all at its end."""
    return [
        Packet(packet.time, begin + length) if begin < packet.arrived < begin + length else packet for packet in packets
    ]


def play(packets, buffer: JitterBuffer, sound=()):
    """Return what is shown, and when. Newest wins: of several pictures due, only the newest is shown."""
    coming = deque(sorted(packets, key=attrgetter("arrived")))
    heard = deque(sorted(sound, key=attrgetter("arrived")))
    waiting: deque[Packet] = deque()
    shown, now = [], -float("inf")
    while coming or waiting:
        due = max(now, buffer.due(waiting[0].time, waiting[0].arrived, now)) if waiting else float("inf")
        arrival = min((queue[0].arrived for queue in (coming, heard) if queue), default=float("inf"))
        now = min(arrival, due, max(now, waiting[0].arrived) + LOOK_AGAIN if waiting else arrival)
        while coming and coming[0].arrived <= now:
            waiting.append(coming.popleft())
            buffer.on_picture(waiting[-1].time, now)
        while heard and heard[0].arrived <= now:
            buffer.on_sound(heard.popleft().time, now)
        newest = None
        while waiting and buffer.due(waiting[0].time, waiting[0].arrived, now) <= now:
            newest = waiting.popleft()
        if newest is not None:
            shown.append(Shown(newest, now, buffer.held))
    return shown


def longest_gap(shown, after=-float("inf")):
    """Return the longest time between two pictures (seconds)."""
    times = [picture.at for picture in shown if picture.at >= after]
    return max(later - earlier for earlier, later in itertools.pairwise(times))
