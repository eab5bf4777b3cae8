"""The token bucket of an address."""

from hypothesis import given
from hypothesis import strategies as st

from sdstream.control.rate_limit import MOST_CLIENTS, RateLimit


@given(st.floats(1, 100), st.lists(st.floats(0, 1), min_size=1, max_size=300))
def test_no_second_lets_more_in_than_the_rate_and_a_burst(rate: float, pauses: list[float]) -> None:
    limit, now, let_in = RateLimit(rate), 0.0, 0
    for pause in pauses:
        now += pause
        let_in += limit.wait("a", now) == 0
    assert let_in <= 2 * rate + now * rate + 1e-6


@given(st.floats(1, 100))
def test_after_the_wait_the_next_request_is_let_in(rate: float) -> None:
    limit = RateLimit(rate)
    while not (wait := limit.wait("a", 0.0)):
        pass
    assert limit.wait("a", wait + 1e-9) == 0
    assert limit.wait("b", 0.0) == 0


def test_addresses_without_end_are_forgotten() -> None:
    limit = RateLimit(1)
    for number in range(5 * MOST_CLIENTS):
        limit.wait(str(number), 0.0)
    assert len(limit._buckets) == MOST_CLIENTS
