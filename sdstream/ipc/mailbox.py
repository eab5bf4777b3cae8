"""Hands the newest picture from one process to several readers; old pictures are dropped and counted.

Shared memory holds a few slots. A writer fills a free slot, publishes the slot by storing a number, and wakes each
reader with a byte through a non-blocking socket. The byte only wakes, and the shared memory decides: a lost or a stale
byte does no harm, and no process waits for a reader or a writer killed at any instruction. The memory is anonymous
(`RawArray`): nothing is left behind when all processes die.
"""

import contextlib
import select
import socket
import time
from multiprocessing.sharedctypes import RawArray
from typing import Any

import numpy as np
import numpy.typing as npt

from sdstream.errors import Bug
from sdstream.frame import Frame
from sdstream.ipc.fence import fence

_NUMBER, _SEQ, _HEIGHT, _WIDTH = range(4)  # columns of the integer header; number 0: nothing to read here
_PTS, _CAPTURED, _POSTED = range(3)  # columns of the time header, seconds
_PAGE = 4096
_PASSES = 100  # searches for a free slot: a reader may take the very slot under examination, but not for ever


class Mailbox:
    """The shared part, owned by the supervisor; `writer()` and `reader(i)` may be sent to spawned processes.

    There are `readers` + 2 slots: a slot for each reader to hold, the newest slot, and a slot for writing. So a writer
    always finds a free slot, never waits, and never overwrites a held slot.
    """

    def __init__(self, capacity: int, readers: int) -> None:
        """Make room for pictures of at most `capacity` bytes, for `readers` readers."""
        self.capacity = capacity
        self.readers = readers
        self.slots = readers + 2
        self._stride = _stride(capacity)
        self._data: Any = RawArray("B", self._stride * self.slots)  # ctypes arrays have no static type
        self._ints: Any = RawArray("q", self.slots * 4)
        self._times: Any = RawArray("d", self.slots * 3)
        self._held: Any = RawArray("q", [-1] * readers)
        self._sockets = [socket.socketpair() for _ in range(readers)]
        for pair in self._sockets:
            for end in pair:
                end.setblocking(False)

    @staticmethod
    def memory(capacity: int, readers: int) -> int:
        """Return the bytes of shared memory for the pictures of such a mailbox."""
        return _stride(capacity) * (readers + 2)

    def writer(self) -> "MailboxWriter":
        """Return the writing end, for a single process at a time."""
        return MailboxWriter(self, [writing_end for writing_end, _ in self._sockets])

    def reader(self, index: int) -> "MailboxReader":
        """Return the reading end of reader `index`, for a single process at a time."""
        return MailboxReader(self, index, self._sockets[index][1])

    def close(self) -> None:
        """Close the sockets of this process; closing twice is harmless."""
        for pair in self._sockets:
            for end in pair:
                end.close()

    def __getstate__(self) -> dict[str, Any]:
        """Pickle without the sockets: a writer or reader pickles only the sockets of that end."""
        return {**self.__dict__, "_sockets": []}


def _stride(capacity: int) -> int:
    return -(-capacity // _PAGE) * _PAGE


class _End:
    """NumPy views of the memory for both ends, made in the process of the end."""

    def __init__(self, box: Mailbox) -> None:
        self._box = box
        self._attached = False

    def _attach(self) -> None:
        box = self._box
        self._ints: npt.NDArray[np.int64] = np.frombuffer(box._ints, np.int64).reshape(box.slots, 4)
        self._times: npt.NDArray[np.float64] = np.frombuffer(box._times, np.float64).reshape(box.slots, 3)
        self._held: npt.NDArray[np.int64] = np.frombuffer(box._held, np.int64)
        data = np.frombuffer(box._data, np.uint8).reshape(box.slots, box._stride)
        self._pages: npt.NDArray[np.uint8] = data
        # Touch every page now: page faults later would cost time on air, and look like a slow memory leak.
        data[:, ::_PAGE].max()
        self._attached = True


class MailboxWriter(_End):
    """The writing end."""

    def __init__(self, box: Mailbox, sockets: list[socket.socket]) -> None:
        super().__init__(box)
        self._sockets = sockets

    def put(self, frame: Frame) -> None:
        """Publish `frame` as the newest picture (a single copy); never blocks. Raises Bug if the frame is too large."""
        if not self._attached:
            self._attach()
        size = frame.pixels.nbytes
        if size > self._box.capacity:
            raise Bug(f"a picture of {size} bytes does not fit into a mailbox of {self._box.capacity} bytes")
        slot, number = self._claim()
        np.copyto(self._pages[slot, :size].reshape(frame.pixels.shape), frame.pixels)
        self._ints[slot, _SEQ:] = frame.seq, frame.pixels.shape[0], frame.pixels.shape[1]
        self._times[slot] = frame.pts, frame.captured, time.monotonic()
        fence()
        self._ints[slot, _NUMBER] = number
        for reader in self._sockets:
            # BlockingIOError: enough bytes wait to wake the reader. ConnectionError: the reader is gone.
            with contextlib.suppress(BlockingIOError, ConnectionError):
                reader.send(b"\0")

    def _claim(self) -> tuple[int, int]:
        """Take a slot, neither the newest nor held, and make the slot unreadable; return the slot and a new number."""
        numbers = self._ints[:, _NUMBER]
        newest = int(numbers.argmax())
        for _ in range(_PASSES):
            for slot in range(self._box.slots):
                if slot == newest or slot in self._held:
                    continue
                before = int(numbers[slot])
                numbers[slot] = 0
                fence()
                if slot not in self._held:
                    return slot, int(numbers[newest]) + 1
                numbers[slot] = before  # a reader took the slot meanwhile: the picture is intact, and stays readable
        raise Bug(f"a mailbox made for {self._box.readers} readers has no free slot: more readers use the mailbox")


class MailboxReader(_End):
    """The reading end."""

    def __init__(self, box: Mailbox, index: int, wakeup: socket.socket) -> None:
        super().__init__(box)
        self._index = index
        self._wakeup = wakeup
        self._last = 0
        self.dropped = 0
        """Pictures replaced by a newer picture before this reader took the picture."""

    def take(self, timeout: float = 0.0) -> Frame | None:
        """Return the newest unread picture, after a wait of up to `timeout` seconds; None without a picture.

        The pixels are a view into shared memory, read-only, and valid until the next `take`.
        """
        if not self._attached:
            self._attach()
        deadline = time.monotonic() + timeout
        while True:
            self._drain()
            frame = self._newest()
            if frame is not None:
                return frame
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._wakeup], [], [], left)[0]:
                return None

    def _drain(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._wakeup.recv(4096):
                pass

    def _newest(self) -> Frame | None:
        """Hold the newest slot. If the writer claims the slot meanwhile, a newer picture is coming: look again."""
        while True:
            slot = int(self._ints[:, _NUMBER].argmax())
            number = int(self._ints[slot, _NUMBER])
            if number <= self._last:
                return None
            self._held[self._index] = slot
            fence()
            if int(self._ints[slot, _NUMBER]) == number:
                break
        if self._last:
            self.dropped += number - self._last - 1
        self._last = number
        return self._view(slot)

    def _view(self, slot: int) -> Frame:
        seq, height, width = (int(n) for n in self._ints[slot, _SEQ:])
        pts, captured, posted = (float(t) for t in self._times[slot])
        pixels = self._pages[slot, : height * width * 3].reshape(height, width, 3)
        pixels.flags.writeable = False
        return Frame(pixels, seq, pts, captured, posted)
