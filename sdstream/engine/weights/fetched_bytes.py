"""Counts the bytes that the hub's client fetches, in place of the client's own bars on standard error."""

from collections.abc import Callable
from typing import Any

MEGABYTE = 1_000_000


def counter(tell: Callable[[int, int], None]) -> type[Any]:  # a subclass of tqdm, which publishes no types
    """Return a class for the client's `tqdm_class`: draws nothing, and tells each new megabyte (megabytes, of all).

    The client makes a bar for the bytes from the network, a bar for the bytes on disk, and a bar for the files. Which
    of the bars with bytes moves depends on the hub's storage. The number of all bytes grows while files begin.
    """
    from huggingface_hub.utils import tqdm  # type: ignore[attr-defined]  # not among the names of `__all__`

    told = (0, 0)

    class FetchedBytes(tqdm):
        def __init__(self, *args: Any, **kwargs: Any) -> None:  # the client's
            self._counts = kwargs.get("unit") == "B"
            super().__init__(*args, **{**kwargs, "disable": True})  # type: ignore[no-untyped-call]

        def update(self, n: float | None = 1) -> None:
            nonlocal told
            if not self._counts or not n:
                return
            self.n += n
            done, total = int(self.n) // MEGABYTE, max(told[1], -(-int(self.total or 0) // MEGABYTE))
            if (done, total) > told:
                told = (done, total)
                tell(min(done, total), total)

    return FetchedBytes
