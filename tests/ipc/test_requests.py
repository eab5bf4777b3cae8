"""Requests between a stage and the supervisor."""

import pytest

from sdstream.ipc.requests import LARGEST, Request, Requests


def test_a_request_and_its_reply_go_around() -> None:
    pair = Requests()
    pair.ask(Request(7, "patch", {"a": [1, None]}))
    (request,) = pair.take(10)
    assert request == Request(7, "patch", {"a": [1, None]})
    assert pair.reply(request, {"version": 2})
    assert pair.received() == (7, {"version": 2})
    assert pair.received() is None
    pair.close()
    pair.close()


def test_bytes_that_are_no_request_are_dropped() -> None:
    pair = Requests()
    for junk in (b"", b"{", b'"x"', b"[1]", b'["a", "b", 1]', b"\xff"):
        pair.replies.send(junk)
    pair.ask(Request(1, "restart", {}))
    assert [request.number for request in pair.take(20)] == [1]
    pair.close()


def test_a_stage_that_reads_no_replies_never_blocks_the_supervisor() -> None:
    pair = Requests()
    request = Request(1, "patch", {})
    outcomes = [pair.reply(request, "x" * 60_000) for _ in range(1000)]
    assert outcomes[0]
    assert not outcomes[-1]
    pair.close()


def test_a_request_that_is_too_large_is_refused_before_it_is_sent() -> None:
    pair = Requests()
    with pytest.raises(ValueError, match="the most"):
        pair.ask(Request(1, "patch", "x" * LARGEST))
    assert list(pair.take(1)) == []
    pair.close()
