"""Opens an input and reads its packets in a thread of its own, so that nobody has to wait for FFmpeg.

FFmpeg's calls block, some for as long as a server likes, and an interrupted one leaves most demuxers at a false end
of file. A waiting thread costs 50 µs a packet; it is the one thread of a source, and needs nothing but its input.
"""

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Any

from av.error import FFmpegError

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream

_STEP = 0.25


class Reader:
    """One open input. Only its thread touches the container while a read is under way."""

    def __init__(self, open_input: Callable[[], "InputContainer"], check_running: Callable[[], None]) -> None:
        """Call `open_input`, and `check_running` while `open_input` blocks. Raises what either of the two raises."""
        self._pool = ThreadPoolExecutor(1, "input")
        opening = self._pool.submit(open_input)
        with contextlib.ExitStack() as undo:  # whatever happens, no thread and no connection is left behind
            undo.callback(self._pool.shutdown, wait=False)
            undo.callback(opening.add_done_callback, _close_late)
            while not wait((opening,), _STEP).done:
                check_running()
            self.container = opening.result()
            undo.pop_all()
        self._tracks: list[VideoStream | AudioStream] = []
        self._packets: Iterator[Packet[Any]] = iter(())
        self._reading: Future[Packet[Any] | None] | None = None

    def start(self, tracks: "list[VideoStream | AudioStream]") -> None:
        """Begin to read the packets of `tracks`, from where the input is."""
        self._tracks = tracks
        self._packets = self.container.demux(*tracks)
        self._ask()

    @property
    def has_more(self) -> bool:
        """Whether `take` would not have to wait."""
        return self._reading is not None and self._reading.done()

    def take(self, patience: float) -> "Packet[Any] | None":
        """Return the next packet; None if none came within `patience` seconds.

        Raises EOFError at the end, and FFmpegError for what could not be read; reading may go on after that.
        """
        if self._reading is None:
            raise EOFError
        if not wait((self._reading,), patience).done:
            return None
        reading, self._reading = self._reading, None
        try:
            packet = reading.result()
        except EOFError:
            raise
        except FFmpegError:
            self.start(self._tracks)
            raise
        if packet is None:
            raise EOFError
        self._ask()
        return packet

    def rewind(self) -> None:
        """Go back to the start, after the end. Raises FFmpegError if the input cannot."""
        self.container.seek(0)
        self.start(self._tracks)

    def close(self) -> None:
        """Close the input as soon as it can be closed; closing twice is harmless."""
        try:
            self._pool.submit(self.container.close)
        except RuntimeError:
            return  # it was closed
        self._pool.shutdown(wait=False)

    def _ask(self) -> None:
        self._reading = self._pool.submit(next, self._packets, None)


def _close_late(opening: "Future[InputContainer]") -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()
