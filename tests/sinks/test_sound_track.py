"""The sound track of an output: every block has its place behind the last block."""

from fractions import Fraction

import numpy as np
import pytest

from sdstream.errors import Lost
from sdstream.frame import SAMPLE_RATE
from sdstream.sinks.sound_track import SoundTrack

TICK = 1600
"""Samples of a picture, at 30 pictures a second."""


class Encoder:
    """Stands for FFmpeg's AAC encoder, and keeps what it was given."""

    def __init__(self):
        self.blocks = []

    def encode(self, block):
        self.blocks.append((block.pts, block.samples))
        return []


def encoded(numbers, early=0):
    encoder = Encoder()
    track = SoundTrack(encoder, Fraction(30), early, "show.mkv")
    for number in numbers:
        track.encode(np.zeros((TICK, 2), np.float32), number)
    return encoder.blocks


def test_a_block_is_stamped_behind_the_last_block():
    assert encoded([0, 1, 2]) == [(0, TICK), (TICK, TICK), (2 * TICK, TICK)]


def test_sound_from_before_the_first_picture_is_dropped():
    assert encoded([0, 1, 2], early=2000) == [(0, 2 * TICK - 2000), (2 * TICK - 2000, TICK)]


def test_pictures_that_were_left_out_are_silence():
    assert encoded([0, 3]) == [(0, TICK), (TICK, 3 * TICK)]


def test_a_long_gap_is_a_new_start():
    with pytest.raises(Lost, match=r"output show\.mkv was held up for 11 s"):
        encoded([0, 1 + 11 * 30])


def test_a_rate_that_does_not_divide_the_sample_rate_makes_no_gaps():
    encoder = Encoder()
    track = SoundTrack(encoder, Fraction(30000, 1001), 0, "show.mkv")
    ends = [int(number * SAMPLE_RATE * 1001 / 30000) for number in range(100)]
    for number, count in enumerate(np.diff(ends)):
        track.encode(np.zeros((count, 2), np.float32), number)
    assert [samples for _, samples in encoder.blocks] == list(np.diff(ends))
