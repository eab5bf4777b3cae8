"""The source gets no more messages than the source can hold."""

import pytest

from sdstream.sources.rtmp_server.relay import Allowance


def test_a_burst_is_passed_on_and_then_a_rate():
    allowance = Allowance(rate=100, burst=50)
    assert sum(allowance.take(10.0) for _ in range(200)) == 50
    assert sum(allowance.take(10.25) for _ in range(200)) == 25
    assert sum(allowance.take(99.0) for _ in range(200)) == 50


@pytest.mark.parametrize("rate", [1, 60, 120, 600])
def test_a_usual_publisher_is_never_held_up(rate):
    allowance = Allowance()
    assert all(allowance.take(number / rate) for number in range(rate * 60))
