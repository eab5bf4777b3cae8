"""A token bucket for each client address. Time is an argument."""

from collections import OrderedDict

MOST_CLIENTS = 1024
"""Addresses remembered; the address longest without a request is forgotten first."""


class RateLimit:
    """Allows `rate` requests a second from each address, and bursts of twice as many."""

    def __init__(self, rate: float) -> None:
        self._rate, self._burst = rate, 2 * rate
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, client: str, now: float) -> float:
        """Count a request of `client` at `now` (monotonic seconds); return 0, or the seconds until the next is
        allowed. A refused request costs nothing."""
        left, since = self._buckets.pop(client, (self._burst, now))
        left = min(self._burst, left + (now - since) * self._rate)
        allowed = left >= 1
        self._buckets[client] = (left - 1 if allowed else left, now)
        while len(self._buckets) > MOST_CLIENTS:
            self._buckets.popitem(last=False)
        return 0.0 if allowed else (1 - left) / self._rate
