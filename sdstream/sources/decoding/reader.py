"""Opens an input and reads packets in a separate thread, so that the source never waits for FFmpeg.

FFmpeg's calls block, some for as long as a server likes, and an interrupted call leaves most demuxers at a false end
of file. A waiting thread costs 20 µs a packet. A source has no second thread, and the thread touches only the input.
"""

import contextlib
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from av.error import FFmpegError

from sdstream.system.run_delay import RunDelay

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream

_STEP = 0.25
_AHEAD = 4  # packets read before `take` asks: a thread that need not wait for the taker wakes half as often
_Read = tuple["Packet[Any]", float | None, float]  # the packet, the time of its arrival, and the seconds of absence
Arrival = Callable[[int], float | None]
"""Returns when the byte before a position of the input came (monotonic seconds); None: unknown."""


class Reader:
    """An open input. Only the reader's thread touches the container during a read."""

    def __init__(
        self,
        open_input: Callable[[], "InputContainer"],
        check_running: Callable[[], None],
        arrival: Arrival | None = None,
    ) -> None:
        """Call `open_input`, and `check_running` while `open_input` blocks. Raises the errors of both.

        Without `arrival`, a packet arrives when the packet is read, also after FFmpeg's look for the tracks.
        """
        self._arrival = arrival
        self._pool = ThreadPoolExecutor(1, "input")
        opening = self._pool.submit(open_input)
        with contextlib.ExitStack() as undo:  # after an error no thread and no connection is left behind
            undo.callback(self._pool.shutdown, wait=False)
            undo.callback(opening.add_done_callback, _close_late)
            while not wait((opening,), _STEP).done:
                check_running()
            self.container = opening.result()
            undo.pop_all()
        self._tracks: list[VideoStream | AudioStream] = []
        self._reads: SimpleQueue[_Read | None] = SimpleQueue()  # None: the thread reads no more
        self._room: SimpleQueue[bool] = SimpleQueue()  # a True for each packet that may be read; False: read no more
        self._reading: Future[None] | None = None
        self._run_delay: RunDelay | None = None  # of the thread that reads
        self._idle_since: float | None = None
        self._closing = False
        self.arrived: float | None = 0.0
        """When the packet taken last arrived (monotonic seconds); None: unknown."""
        self.absent = 0.0
        """Seconds until then in which nobody read, because this process was busy or had no processor."""

    def start(self, tracks: "list[VideoStream | AudioStream]") -> None:
        """Begin to read the packets of `tracks` at the present position."""
        self._tracks = tracks
        self._reads, self._room = SimpleQueue(), SimpleQueue()
        for _ in range(_AHEAD):
            self._room.put(True)
        packets = self.container.demux(*tracks)
        self._reading = self._pool.submit(self._read, packets, self._reads, self._room)

    @property
    def has_more(self) -> bool:
        """Whether `take` would not have to wait."""
        return not self._reads.empty()

    def take(self, patience: float) -> "Packet[Any] | None":
        """Return the next packet; None if no packet came within `patience` seconds.

        Raises EOFError at the end, and FFmpegError when a read failed; reading may go on after an FFmpegError.
        """
        if self._reading is None:
            raise EOFError
        try:
            read = self._reads.get(timeout=patience)
        except Empty:
            return None
        if read is None:
            self._finish(self._reading)
            raise EOFError
        self._room.put(True)
        packet, self.arrived, absent = read
        self.absent += absent
        return packet

    def _finish(self, reading: "Future[None]") -> None:
        """Raise what ended the reading, if not the end of the input; after an FFmpegError begin to read again."""
        self._reading = None
        try:
            reading.result()
        except EOFError:
            raise
        except IndexError:  # PyAV ends so when a track has begun on the way: PyAV knows the tracks of the opening only
            raise EOFError from None
        except FFmpegError:
            self.start(self._tracks)
            raise

    def rewind(self) -> None:
        """Go back to the start, after the end. Raises FFmpegError if the input cannot."""
        try:
            self.container.seek(0)
        except PermissionError:  # FLV: the picture begins later than the sound, so no key frame is at 0 or before
            first = min(self._tracks, key=lambda track: (track.start_time or 0) * float(track.time_base or 0))
            self.container.seek(0, backward=False, stream=first)
        self.start(self._tracks)

    def close(self) -> None:
        """Close the input after the read under way; closing twice is harmless."""
        self._closing = True
        self._room.put(False)
        try:
            self._pool.submit(self.container.close)
        except RuntimeError:
            return  # the pool is shut down, because the input was closed before
        if self._run_delay is not None:
            self._pool.submit(self._run_delay.close)
        self._pool.shutdown(wait=False)

    def _read(
        self, packets: "Iterator[Packet[Any]]", reads: "SimpleQueue[_Read | None]", room: "SimpleQueue[bool]"
    ) -> None:
        """Read packets, and measure how late this process came to read; in the thread that reads."""
        delays = self._run_delay = self._run_delay or RunDelay()
        try:
            while room.get() and not self._closing:
                began, delay = time.monotonic(), delays.seconds()
                absent = 0.0 if self._idle_since is None else began - self._idle_since
                try:
                    packet = next(packets, None)
                finally:
                    self._idle_since = time.monotonic()
                if packet is None:
                    return
                at = self._arrival(_end(packet)) if self._arrival else self._idle_since
                reads.put((packet, at, absent + delays.seconds() - delay))
        finally:
            reads.put(None)


def _end(packet: "Packet[Any]") -> int:
    """Return the position after a packet's payload, as near as the demuxer tells."""
    return (packet.pos or 0) + packet.size


def _close_late(opening: "Future[InputContainer]") -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()
