"""The test source: numbered pictures, exact times, and a beep each second."""

from fractions import Fraction

import numpy as np
import pytest

from sdstream.audio.ring import AudioRing
from sdstream.config.schema import Canvas
from sdstream.config.sources import TestsrcSourceSettings
from sdstream.frame import SAMPLE_RATE
from sdstream.ipc.counters import Counters
from sdstream.sources import marker
from sdstream.sources.context import COUNTERS, SourceContext
from sdstream.sources.testsrc import TestSource
from tests.sources.source_playback import nobody


def frames(count, canvas, **settings):
    """Return copies of the first pictures, and the sound ring."""
    ring = AudioRing()
    context = SourceContext(canvas, Counters(COUNTERS), ring, nobody)
    taken = []
    with TestSource(TestsrcSourceSettings(kind="testsrc", **settings), context) as source:
        while len(taken) < count:
            if frame := source.read():
                taken.append((frame, frame.pixels.copy()))
    return taken, ring, context.counters


SMALL = Canvas(width=160, height=90, fps=60)


def test_every_picture_carries_its_number_and_differs_from_the_last_picture():
    taken, _, counters = frames(20, SMALL)
    numbers = [marker.read(pixels).counter for _, pixels in taken]
    missing = counters.count("late_pictures")
    assert numbers[0] == 0
    assert numbers[-1] == 19 + missing
    assert numbers == sorted(set(numbers))
    assert [frame.seq for frame, _ in taken] == list(range(1, 21))
    assert not np.array_equal(taken[0][1], taken[1][1])


@pytest.mark.parametrize("fps", [60, 59.94, 240])
def test_times_are_exact_multiples_of_the_frame_time(fps):
    canvas = Canvas(width=160, height=90, fps=fps)
    taken, _, _ = frames(10, canvas)
    exact = [float(Fraction(marker.read(pixels).counter) / canvas.rate) for _, pixels in taken]
    assert [frame.pts - taken[0][0].pts for frame, _ in taken] == pytest.approx(exact, abs=1e-6)


def test_a_beep_starts_with_the_picture_that_says_so():
    taken, ring, _ = frames(6, SMALL)
    first, pixels = taken[0]
    assert marker.read(pixels).beep
    assert not any(marker.read(other).beep for _, other in taken[1:])
    begin, end = ring.span()
    assert begin == round(first.pts * SAMPLE_RATE)
    sound = np.abs(ring.read(begin, end - begin)[:, 0])
    assert sound[:48].max() > 0.2
    assert end - begin == pytest.approx(6 * SAMPLE_RATE / 60, abs=SAMPLE_RATE / 60 * 3)


@pytest.mark.parametrize("size", [(320, 240), (640, 360), (90, 160)])
def test_a_picture_of_another_size_is_fitted_to_the_canvas(size):
    taken, _, counters = frames(2, SMALL, width=size[0], height=size[1])
    assert taken[0][1].shape == (90, 160, 3)
    assert (counters.count("width"), counters.count("height")) == size


def test_a_tiny_picture_has_no_marker_and_moves_all_the_same():
    taken, _, _ = frames(3, Canvas(width=16, height=16, fps=60))
    assert marker.read(taken[0][1]) is None
    assert not np.array_equal(taken[0][1], taken[2][1])


def test_closing_twice_is_harmless():
    source = TestSource(TestsrcSourceSettings(kind="testsrc"), SourceContext(SMALL, Counters(COUNTERS), None, nobody))
    with source:
        assert source.read() is not None
    source.__exit__()
