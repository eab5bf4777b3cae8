"""Lets the work for strangers through piece by piece, so that all strangers together take a share of the processor."""

import asyncio
import time

SHARE = 0.25
"""Share of a processor core for all peers that are not let in."""
_SMALLEST_PAUSE = 0.002  # seconds; the loop's clock cannot wait for much less, so smaller pauses are added up


class Turnstile:
    """An asynchronous context manager around a piece of work without `await`; pieces pass in order of arrival."""

    def __init__(self, share: float = SHARE) -> None:
        self._rest = 1 / share - 1  # seconds of pause for a second of work
        self._lock = asyncio.Lock()
        self._free_at = 0.0
        self._began = 0.0

    async def __aenter__(self) -> None:
        await self._lock.acquire()
        entered = False
        try:
            pause = self._free_at - time.monotonic()
            await asyncio.sleep(pause if pause > _SMALLEST_PAUSE else 0)
            entered = True
        finally:
            if not entered:
                self._lock.release()
        self._began = time.thread_time()

    def charge(self, seconds: float) -> None:
        """Count work that is done elsewhere."""
        self._free_at = max(self._free_at, time.monotonic()) + seconds * self._rest

    async def __aexit__(self, *exc: object) -> None:
        self.charge(time.thread_time() - self._began)
        self._lock.release()
