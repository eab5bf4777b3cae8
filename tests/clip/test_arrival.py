"""The arrival of a published clip: sound follows its picture closely."""

from sdstream.bench.constants import arrival


def test_the_sound_of_the_published_clip_is_complete_soon_after_its_picture() -> None:
    (finding,) = arrival.measure(1.0)
    assert finding.constant == "sinks.STAMPED_EARLY"
    assert 0.0 <= finding.measured["sound complete after, s, median"] < 0.5
