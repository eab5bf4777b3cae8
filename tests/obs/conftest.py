"""What every test with a real OBS stands on."""

from collections.abc import Iterator

import pytest

from tests.parts import network, obs
from tests.parts.network import Network


@pytest.fixture(scope="module")
def private() -> Iterator[Network]:
    """A network of our own, on a machine that has what it takes; else the test is skipped."""
    for reason in (obs.missing(), network.missing()):
        if reason:
            pytest.skip(reason)
    with network.private_network() as made:
        yield made
