"""The sound ring: sound is read at the time at which it was written."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sdstream.audio.ring import AudioRing
from sdstream.frame import SAMPLE_RATE


def ramp(begin: int, count: int) -> np.ndarray:
    return np.repeat(np.arange(begin, begin + count, dtype=np.float32)[:, None], 2, axis=1)


def test_sound_is_read_at_the_time_at_which_it_was_written() -> None:
    ring = AudioRing(1.0)
    ring.write(10.0, ramp(0, 4800))
    assert (ring.read(10 * SAMPLE_RATE + 100, 50) == ramp(100, 50)).all()


def test_there_is_silence_before_and_after_the_sound() -> None:
    ring = AudioRing(1.0)
    ring.write(10.0, np.ones((100, 2), np.float32))
    got = ring.read(10 * SAMPLE_RATE - 10, 120)
    assert got[:10].sum() == got[110:].sum() == 0
    assert (got[10:110] == 1).all()


@given(st.lists(st.integers(1, 2000), min_size=1, max_size=60))
def test_blocks_of_any_size_join_without_a_seam(sizes: list[int]) -> None:
    ring, place = AudioRing(1.0), 0
    for size in sizes:
        ring.write(3.0 + place / SAMPLE_RATE, ramp(place, size))
        place += size
    first, last = ring.span()
    assert last == 3 * SAMPLE_RATE + place
    assert (ring.read(first, last - first) == ramp(first - 3 * SAMPLE_RATE, last - first)).all()


def test_a_jump_starts_a_new_run_and_hides_the_old_one() -> None:
    ring = AudioRing(1.0)
    ring.write(10.0, np.ones((100, 2), np.float32))
    ring.write(10.5, np.ones((100, 2), np.float32))
    assert ring.span() == (round(10.5 * SAMPLE_RATE), round(10.5 * SAMPLE_RATE) + 100)
    assert not ring.read(10 * SAMPLE_RATE, 100).any()


def test_a_small_error_in_pts_is_joined() -> None:
    ring = AudioRing(1.0)
    ring.write(10.0, np.ones((480, 2), np.float32))
    ring.write(10.0155, np.ones((480, 2), np.float32))
    assert ring.span() == (10 * SAMPLE_RATE, 10 * SAMPLE_RATE + 960)
