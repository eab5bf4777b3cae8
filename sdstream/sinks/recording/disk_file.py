"""A file for a muxer, written and synced by a thread: neither a slow nor a full disk holds up a sink.

The thread is the exception to the rule that a sink has none. `fsync` has no timeout and no non-blocking form, takes
seconds on a busy disk, and a recording beside a stream must not delay the stream.
"""

import os
import threading
import time
from collections import deque
from pathlib import Path

SYNC_EVERY = 0.5
"""Seconds from a write to the sync, at most: a part of the second that a power cut may cost."""
MOST_WAITING = 64 * 1024 * 1024
"""Most bytes waiting for the disk; 64 MB are two minutes at 4.5 Mbit/s. With more, the file fails."""
CLOSE_WITHIN = 1.5
"""Seconds for the last bytes; the supervisor kills a process after 2 s."""


class DiskFile:
    """A file object with write, seek and tell, for FFmpeg; failures are kept in `failure`, and never raised."""

    def __init__(self, descriptor: int, path: Path) -> None:
        """Own `descriptor`, an empty file at `path`."""
        self.name = str(path)
        self.failure: OSError | None = None
        """Why the file takes no more bytes; None while the file is well."""
        self._descriptor = descriptor
        self._place = self._end = 0
        self._piece: list[tuple[int, bytearray]] = []
        self._waiting: deque[tuple[int, bytearray]] = deque()
        self._bytes_waiting = 0
        self._changed = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._work, name=f"disk {path.name}", daemon=True)
        self._thread.start()

    def write(self, data: bytes) -> int:
        """Take bytes for the present place; the disk gets the bytes at the next `commit`."""
        if self._piece and self._piece[-1][0] + len(self._piece[-1][1]) == self._place:
            self._piece[-1][1].extend(data)
        else:
            self._piece.append((self._place, bytearray(data)))
        self._place += len(data)
        self._end = max(self._end, self._place)
        return len(data)

    def commit(self) -> None:
        """Let the thread write what was taken since the last call: a whole piece, or nothing of the piece."""
        piece, self._piece = self._piece, []
        with self._changed:
            self._bytes_waiting += sum(len(data) for _, data in piece)
            if self._bytes_waiting > MOST_WAITING and self.failure is None:
                self.failure = TimeoutError(110, f"the disk is too slow: {MOST_WAITING >> 20} MB wait")
            if piece and self.failure is None:
                self._waiting.extend(piece)
                self._changed.notify()

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to a place, and return the place."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._end}[whence]
        self._place = start + offset
        return self._place

    def tell(self) -> int:
        """Return the present place."""
        return self._place

    def close(self) -> None:
        """Wait up to `CLOSE_WITHIN` for the disk; closing twice is harmless. A file without a byte is removed."""
        self.commit()
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(CLOSE_WITHIN)
        if self._thread.is_alive() and self.failure is None:
            self.failure = TimeoutError(110, f"the disk did not take the last bytes within {CLOSE_WITHIN} s")

    def _work(self) -> None:
        due, dirty = 0.0, False
        while True:
            with self._changed:
                if not self._waiting and not self._closing:
                    self._changed.wait(SYNC_EVERY)
                batch, self._waiting = self._waiting, deque()
                closing = self._closing
            try:
                dirty = self._write(batch) or dirty
                if dirty and (closing or time.monotonic() >= due):
                    os.fsync(self._descriptor)
                    due, dirty = time.monotonic() + SYNC_EVERY, False
                if not closing and os.fstat(self._descriptor).st_nlink == 0:
                    raise FileNotFoundError(2, "the file was deleted during the recording")
            except OSError as error:
                self._fail(error)
            if closing and not self._waiting:
                break
        self._remove_if_empty()
        os.close(self._descriptor)

    def _write(self, batch: deque[tuple[int, bytearray]]) -> bool:
        """Write a batch; return whether there was anything to write."""
        for place, data in batch:
            self._write_piece(place, data)
            with self._changed:
                self._bytes_waiting -= len(data)
        return bool(batch)

    def _write_piece(self, place: int, data: bytearray) -> None:
        """Write a piece whole. Where the piece does not fit, take back the beginning: MP4 would name absent bytes."""
        size, done = os.fstat(self._descriptor).st_size, 0
        try:
            while done < len(data) and self.failure is None:
                os.lseek(self._descriptor, place + done, os.SEEK_SET)  # Windows has no pwrite
                done += os.write(self._descriptor, memoryview(data)[done:])
        finally:
            if done < len(data) and place >= size:
                os.ftruncate(self._descriptor, size)

    def _fail(self, error: OSError) -> None:
        with self._changed:
            self.failure = self.failure or error
            self._waiting.clear()
            self._bytes_waiting = 0

    def _remove_if_empty(self) -> None:
        """Remove a file without a byte: with a full disk, every try would leave an empty file."""
        try:
            if os.fstat(self._descriptor).st_size == 0:
                os.unlink(self.name)
        except OSError as error:
            self._fail(error)
