"""Slows the guessing of stream keys: five tries from an address are free, then one a second."""

import ipaddress
from collections import OrderedDict

FREE_TRIES = 5
PAUSE = 1.0
"""Seconds from one try to the next, after the free tries."""
_MOST_ADDRESSES = 4096
_IPV6_HOME = 64  # bits; a home has all addresses with the same first 64 bits


def network_of(host: str) -> str:
    """Return `host`, or for IPv6 the network of a home: a stranger there has 2**64 addresses to come from."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, _IPV6_HOME), strict=False))
    return str(address)


class KeyGuard:
    """Remembers the failed keys of each address, for as long as they slow the address down. Time is an argument."""

    def __init__(self) -> None:
        self._paid: OrderedDict[str, float] = OrderedDict()  # when all tries so far are paid for, by address

    def reserve(self, network: str, now: float) -> float:
        """Count a try as failed, and return the seconds until the key may be looked at."""
        paid = max(self._paid.pop(network, now), now) + PAUSE
        if len(self._paid) >= _MOST_ADDRESSES:
            self._paid.popitem(last=False)
        self._paid[network] = paid
        return max(0.0, paid - now - FREE_TRIES * PAUSE)

    def give_back(self, network: str) -> None:
        """Take a try back, because the key was right, or was not looked at."""
        if network in self._paid:
            self._paid[network] -= PAUSE
