"""The way of a live input's packets from arrival to the moment when the picture is due.

Packets wait undecoded, because a second of decoded pictures takes a hundred megabytes. A picture is decoded one picture
ahead of time. Sound is decoded on arrival, and waits only when the ring of the sound could not hold so much.
"""

import math
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from sdstream.ipc.counters import Counters
from sdstream.log import get_logger
from sdstream.sources.decoding.decode import DecodedPicture, Decoder
from sdstream.sources.decoding.jitter_buffer import REASONS, JitterBuffer, Reason

if TYPE_CHECKING:
    from av.packet import Packet

SHOW_EVERY = 0.25
"""Seconds without a picture after which a late picture is shown after all."""
MOST_BYTES = 64 << 20
"""Bytes of waiting packets; beyond, the oldest pictures are decoded at once, and the newest wins."""
MOST_PACKETS = 8192
_MOST_DECODED = 16  # decoded pictures at once, above any codec's reordering
_SOUND_AHEAD = 2.0  # seconds of sound in the ring ahead of its picture; the ring has 8
_DRAIN = 512  # packets taken in before the clock is read again
_TELL_AFTER = 10.0  # seconds between two log lines
_TELL_CHANGE = 0.05  # seconds


class Waiting:
    """Packets of a track that wait, each with the time of arrival."""

    def __init__(self) -> None:
        self._packets: deque[tuple[Packet[Any], float | None, float]] = deque()
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._packets)

    @property
    def first(self) -> tuple[float | None, float]:
        """The decoding time (seconds on the source's timeline; None: unknown) and the arrival of the oldest packet."""
        _, at, arrived = self._packets[0]
        return at, arrived

    def put(self, packet: "Packet[Any]", at: float | None, arrived: float) -> None:
        """Append a packet."""
        self._packets.append((packet, at, arrived))
        self.bytes += packet.size

    def take(self) -> "tuple[Packet[Any], float]":
        """Remove the oldest packet, and return the packet and the arrival."""
        packet, _, arrived = self._packets.popleft()
        self.bytes -= packet.size
        return packet, arrived


class Playout:
    """Waits for a live input's packets, and for the pictures to be due."""

    def __init__(self, decoder: Decoder, buffer: JitterBuffer, counters: Counters) -> None:
        self._decoder = decoder
        self._buffer = buffer
        self._counters = counters
        self._pictures, self._sound = Waiting(), Waiting()
        self._decoded: deque[DecodedPicture] = deque()
        self._rushed = -math.inf  # arrival of the newest packet that was decoded because too much waited
        self._absent = 0.0
        self._end: EOFError | None = None
        self._shown_at = time.monotonic()
        self._told = (-math.inf, 0.0)
        counters.set("buffer_bound", buffer.bound)

    def next(self, deadline: float) -> DecodedPicture | None:
        """Return the newest picture that is due; None if no picture is due until `deadline`.

        Raises EOFError at the end of the input, after the last picture; Lost when reading fails.
        """
        while True:
            now = self._take_in(deadline)
            self._release_sound(now)
            self._decode(now)
            picture = self._choose(time.monotonic())
            if picture is not None:
                self._shown_at = time.monotonic()
                self._report(self._shown_at)
                return picture
            if self._end is not None and not self._pictures and not self._decoded:
                raise self._end
            if now >= deadline:
                return None
            self._receive(max(0.0, min(deadline, self._next_due(now)) - time.monotonic()))

    def _take_in(self, deadline: float) -> float:
        """Take in all packets that are there, and return the present: newest wins only if the newest is known."""
        for _ in range(_DRAIN):
            if not self._decoder.has_more or self._crowded or time.monotonic() > deadline:
                break
            self._receive(0.0)
        return time.monotonic()

    def _receive(self, patience: float) -> None:
        if self._end is not None:
            time.sleep(patience)
            return
        try:
            packet = self._decoder.receive(patience)
        except EOFError as end:
            self._end = end
            return
        if packet is None:
            return
        now, at = time.monotonic(), _time_of(packet)
        (read, absent), was_absent = self._decoder.arrival, self._absent
        self._absent = absent
        self._buffer.excuse(absent - was_absent)
        if packet.stream is self._decoder.video:
            waiting, note = self._pictures, self._buffer.on_picture
        elif packet.stream is self._decoder.sound:
            waiting, note = self._sound, self._buffer.on_sound
        else:  # a track that is not heard
            return
        waiting.put(packet, at, now)
        if at is not None and read is not None:
            note(at, read)

    @property
    def _crowded(self) -> bool:
        packets, size = len(self._pictures) + len(self._sound), self._pictures.bytes + self._sound.bytes
        return packets > MOST_PACKETS or size > MOST_BYTES

    def _is_due(self, waiting: Waiting, now: float, ahead: float = 0.0) -> bool:
        """Tell whether to decode the oldest packet: the packet is due within `ahead` seconds, or too much waits."""
        at, arrived = waiting.first
        if self._end is None and self._crowded:
            self._rushed = max(self._rushed, arrived)
            return True
        return at is None or self._buffer.due(at, arrived, now) <= now + ahead

    def _release_sound(self, now: float) -> None:
        while self._sound and self._is_due(self._sound, now, _SOUND_AHEAD):
            self._decoder.decode(*self._sound.take())

    def _decode(self, now: float) -> None:
        """Decode all that is due, and one picture more; a slow decoder shows a picture now and then."""
        while self._pictures and (not self._decoded or self._is_due(self._pictures, now)):
            self._decoded.extend(self._decoder.decode(*self._pictures.take()))
            if self._decoded and time.monotonic() - self._shown_at > SHOW_EVERY:
                return

    def _choose(self, now: float) -> DecodedPicture | None:
        """Return the newest decoded picture that is due, and drop the older pictures; None if none is due."""
        chosen = None
        while self._decoded and (len(self._decoded) > _MOST_DECODED or self._picture_due(now) <= now):
            if chosen is not None:
                self._counters.add("queued_pictures")
            chosen = self._decoded.popleft()
        return chosen

    def _picture_due(self, now: float) -> float:
        picture = self._decoded[0]
        return -math.inf if picture.received <= self._rushed else self._buffer.due(picture.time, picture.received, now)

    def _next_due(self, now: float) -> float:
        """Return when to look again although no packet has come."""
        due = self._picture_due(now) if self._decoded else math.inf
        if self._sound:
            at, arrived = self._sound.first
            due = min(due, self._buffer.due(at or 0.0, arrived, now) - _SOUND_AHEAD)
        return due

    def _report(self, now: float) -> None:
        """Write the counters, and log a change once in ten seconds at most."""
        held, reason = self._buffer.held, self._buffer.reason
        self._counters.set("buffer", held)
        self._counters.set("buffer_reason", reason)
        told_at, told = self._told
        settled = reason is not Reason.BEGINNING and abs(held - told) > _TELL_CHANGE
        if now - told_at < _TELL_AFTER or not (settled or self._buffer.excess):
            return
        self._told = now, held
        facts = {"seconds": round(held, 2), "reason": REASONS[reason], "at_most": self._buffer.bound}
        if self._buffer.excess:
            wish = math.ceil(self._buffer.excess * 10 + 1) / 10
            get_logger().warning("bursts are longer than the buffer; set source.buffer", to=wish, **facts)
        else:
            get_logger().info("pictures are delayed" if held else "pictures are not delayed any more", **facts)


def _time_of(packet: "Packet[Any]") -> float | None:
    """Return the decoding time of a packet (seconds); None if the packet has no time."""
    at = packet.pts if packet.dts is None else packet.dts
    base = packet.time_base
    return (
        None if at is None or base is None else at * base.numerator / base.denominator
    )  # no slow product of fractions
