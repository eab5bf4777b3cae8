"""Hands the newest picture from one process to several others; old pictures are dropped and counted.

Shared memory holds a few slots. A writer fills a free slot and publishes it by storing its number; then it rings
each reader's bell (one byte through a non-blocking socket). A bell only wakes: the truth is in the shared memory,
so a lost or a stale ring does no harm, and a reader or a writer that is killed at any instruction leaves nothing
that another one waits for. The memory is anonymous (`RawArray`): nothing is left behind when everybody dies.
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
_PASSES = 100  # a reader may move to the very slot that we look at; it cannot do so for ever


class Mailbox:
    """The shared part, owned by the supervisor; `writer()` and `reader(i)` may be sent to spawned processes.

    There are `readers` + 2 slots: each reader may hold one, one is the newest, and one is being written. So a
    writer always finds a free slot and never waits, and what a reader holds is never overwritten.
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
        self._bells = [socket.socketpair() for _ in range(readers)]
        for pair in self._bells:
            for end in pair:
                end.setblocking(False)

    @staticmethod
    def room(capacity: int, readers: int) -> int:
        """Return how many bytes of shared memory the pictures of such a mailbox take."""
        return _stride(capacity) * (readers + 2)

    def writer(self) -> "MailboxWriter":
        """Return the writing end; one process uses it at a time."""
        return MailboxWriter(self, [ours for ours, _ in self._bells])

    def reader(self, index: int) -> "MailboxReader":
        """Return the reading end of reader `index`; one process uses it at a time."""
        return MailboxReader(self, index, self._bells[index][1])

    def close(self) -> None:
        """Close the bells of this process; closing twice is harmless."""
        for pair in self._bells:
            for end in pair:
                end.close()

    def __getstate__(self) -> dict[str, Any]:
        """Travel without the bells: each end takes along only its own."""
        return {**self.__dict__, "_bells": []}


def _stride(capacity: int) -> int:
    return -(-capacity // _PAGE) * _PAGE


class _End:
    """What both ends share: NumPy views of the memory, made in the process that uses them."""

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
        # Touch every page now: later that would cost time on air, and look as if memory leaked slowly.
        data[:, ::_PAGE].max()
        self._attached = True


class MailboxWriter(_End):
    """The writing end."""

    def __init__(self, box: Mailbox, bells: list[socket.socket]) -> None:
        super().__init__(box)
        self._bells = bells

    def put(self, frame: Frame) -> None:
        """Publish `frame` as the newest picture (one copy); never blocks. Raises Bug if it is too large."""
        if not self._attached:
            self._attach()
        size = frame.pixels.nbytes
        if size > self._box.capacity:
            raise Bug(f"a picture of {size} bytes does not fit a mailbox of {self._box.capacity}")
        slot, number = self._claim()
        np.copyto(self._pages[slot, :size].reshape(frame.pixels.shape), frame.pixels)
        self._ints[slot, _SEQ:] = frame.seq, frame.pixels.shape[0], frame.pixels.shape[1]
        self._times[slot] = frame.pts, frame.captured, time.monotonic()
        fence()
        self._ints[slot, _NUMBER] = number
        for bell in self._bells:
            # Full: it is ringing already. Broken: that reader is gone, and nobody waits for it.
            with contextlib.suppress(BlockingIOError, ConnectionError):
                bell.send(b"\0")

    def _claim(self) -> tuple[int, int]:
        """Take a slot that is neither the newest nor held, and make it unreadable; also the next number."""
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
                numbers[slot] = before  # a reader came in between: it is untouched, and stays readable
        raise Bug("a mailbox has no free slot: more readers than it was made for")


class MailboxReader(_End):
    """The reading end."""

    def __init__(self, box: Mailbox, index: int, bell: socket.socket) -> None:
        super().__init__(box)
        self._index = index
        self._bell = bell
        self._last = 0
        self.dropped = 0
        """Pictures that were replaced by newer ones before this end saw them."""

    def take(self, timeout: float = 0.0) -> Frame | None:
        """Return the newest unread picture, waiting up to `timeout` seconds for one; None if there is none.

        Its pixels are a view into shared memory, read-only, and valid until the next `take`.
        """
        if not self._attached:
            self._attach()
        deadline = time.monotonic() + timeout
        while True:
            self._silence()
            frame = self._newest()
            if frame is not None:
                return frame
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._bell], [], [], left)[0]:
                return None

    def _silence(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._bell.recv(4096):
                pass

    def _newest(self) -> Frame | None:
        """Hold the newest slot. A writer may take it meanwhile; then a newer one is on its way: look again."""
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
