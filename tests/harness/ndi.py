"""NDI between processes of a private network, where the first sender is always at the same port."""

from sdstream.errors import Unavailable
from sdstream.system.ndi_runtime import load_ndi
from tests.harness import network

FIRST_SENDER, SECOND_SENDER = 5961, 5962
"""Ports that NDI gives to the senders of a machine, in the order in which they come."""


def missing() -> str | None:
    """Return why this machine cannot do it, or None when it can."""
    try:
        load_ndi()
    except Unavailable as reason:
        return str(reason)
    return network.missing()
