"""Guessing a stream key is slow, and a typing mistake is not punished."""

import pytest

from sdstream.sources.rtmp_server.admission.key_guard import FREE_TRIES, PAUSE, KeyGuard, network_of


def test_a_few_wrong_keys_are_free_and_each_further_key_waits_for_longer():
    guard = KeyGuard()
    waits = [guard.reserve("a", 0.0) for _ in range(FREE_TRIES + 3)]
    assert waits == [0.0] * FREE_TRIES + [PAUSE, 2 * PAUSE, 3 * PAUSE]


def test_the_right_key_costs_nothing():
    guard = KeyGuard()
    for _ in range(100):
        assert guard.reserve("a", 0.0) == 0
        guard.give_back("a")


def test_time_heals():
    guard = KeyGuard()
    for _ in range(FREE_TRIES + 3):
        guard.reserve("a", 0.0)
    assert guard.reserve("a", 4 * PAUSE) == 0


def test_an_address_does_not_pay_for_others():
    guard = KeyGuard()
    for _ in range(FREE_TRIES + 3):
        guard.reserve("a", 0.0)
    assert guard.reserve("b", 0.0) == 0


def test_the_memory_of_addresses_is_bounded():
    guard = KeyGuard()
    for number in range(9000):
        guard.reserve(str(number), 0.0)
    assert len(guard._paid) <= 4096


@pytest.mark.parametrize(
    ("host", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("?", "?"),
    ],
)
def test_an_ipv6_address_counts_with_its_network(host, network):
    assert network_of(host) == network
