"""The private network of every test with a real OBS."""

from collections.abc import Iterator

import pytest

from tests.harness import network, obs
from tests.harness.network import Network


@pytest.fixture(scope="module")
def private() -> Iterator[Network]:
    """A network of our own, on a machine that has what it takes; else the test is skipped."""
    for reason in (obs.missing(), network.missing()):
        if reason:
            pytest.skip(reason)
    with network.private_network() as made:
        yield made
