"""Peers that get nowhere make room for peers that get on."""

import pytest

from sdstream.sources.rtmp_server.admission.waiting_room import Standing, first_to_go


def standing(network="home", stepped=9.0, progress=0):
    return Standing(network, stepped, progress)


@pytest.mark.parametrize(
    ("goes", "stays"),
    [
        (standing(stepped=8.9), standing()),
        (standing(), standing(progress=1)),
        (standing(stepped=9.4), standing(progress=1)),
        (standing(progress=1), standing(progress=2)),
        (standing(progress=3, stepped=8.0), standing(progress=2)),
        (standing(progress=4, stepped=8.0), standing()),
        (standing(progress=4), standing(stepped=9.55)),
    ],
    ids=[
        "older, both silent",
        "silent",
        "silent, although younger",
        "fewer steps",
        "parked after some steps",
        "parked, against a newcomer that is silent",
        "has stood still for a moment, against a newcomer",
    ],
)
def test_of_two_peers_the_one_that_gets_nowhere_goes(goes, stays):
    assert first_to_go([stays, goes], 9.6) is goes


def test_an_address_with_many_peers_gives_one_up_before_others():
    honest = standing("home", 1.0)
    crowd = [standing("crowd", 9.99, 3) for _ in range(9)]
    assert first_to_go([honest, *crowd], 10.0) in crowd


def test_a_step_counts_once():
    peer = standing()
    peer.step(1, 9.5)
    peer.step(1, 9.9)
    assert (peer.progress, peer.stepped) == (1, 9.5)
