"""The NDI sink, heard by a real receiver in a private network."""

import itertools

import pytest

from sdstream.config.schema import Canvas
from sdstream.config.sinks import NdiSinkSettings
from sdstream.errors import Unavailable
from sdstream.sinks.context import SinkContext
from sdstream.sinks.ndi import NdiSink
from tests.harness import ndi, network
from tests.sinks.sink_process import sender, talker

pytestmark = pytest.mark.ndi

CANVAS = Canvas(width=320, height=180, fps=30)


@pytest.fixture(scope="module")
def private():
    if reason := ndi.missing():
        pytest.skip(reason)
    with network.private_network() as made:
        yield made


@pytest.fixture(scope="module")
def both(private):
    """What a sender and a receiver, which are two processes, tell of each other."""
    with (
        sender(private, 4.0, kind="ndi", name="sdstream test") as sending,
        talker(private, "tests.sinks.ndi_receiver", str(ndi.FIRST_SENDER), "60") as receiving,
    ):
        return sending.told(), receiving.told()


def test_a_receiver_gets_every_picture_in_its_size_rate_and_colours(both):
    _, received = both
    assert (received["size"], received["rate"]) == ([320, 180], [30, 1])
    assert received["numbers"] == list(range(received["numbers"][0], received["numbers"][0] + 60))
    assert max(received["errors"]) <= 4  # 1 of it is NDI's own compression


def test_a_receiver_gets_the_sound_as_two_planes_at_full_level(both):
    _, received = both
    assert set(received["samples"]) == {1600}
    assert received["opposite"] < 1e-4
    assert received["loudest"] == pytest.approx(0.25, abs=1e-3)


def test_picture_and_sound_count_on_one_timeline(both):
    _, received = both
    steps = {later - earlier for earlier, later in itertools.pairwise(received["video_codes"])}
    assert steps <= {333_333, 333_334}
    assert {later - earlier for earlier, later in itertools.pairwise(received["sound_codes"])} <= {333_333, 333_334}
    shared = [min(abs(code - sound) for sound in received["sound_codes"]) for code in received["video_codes"][5:55]]
    assert max(shared) <= 1


def test_connections_and_tally_of_the_receiver_are_reported(both):
    sent, _ = both
    assert sent["error"] is None
    assert (sent["connections"], sent["on_program"], sent["on_preview"]) == (1, 1, 0)


def test_a_name_that_is_taken_is_unavailable_and_free_again_after_closing(private):
    settings = NdiSinkSettings(kind="ndi", name="sdstream taken")
    with (
        NdiSink(settings, SinkContext(CANVAS)),
        pytest.raises(Unavailable, match="'sdstream taken' is running"),
        NdiSink(settings, SinkContext(CANVAS)),
    ):
        pass
    with NdiSink(settings, SinkContext(CANVAS)) as sink:
        assert sink.facts()["connections"] == 0
    sink.__exit__(None, None, None)
