"""The similarity filter: equations 8 and 9, and the laws that the public code breaks."""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdstream.controls import Similarity
from sdstream.engine.similarity import SimilarityFilter, reduce, similarity, skip_probability

SIZES = [(64, 64), (512, 512), (720, 1280), (8, 8), (97, 33)]


def picture(seed: int, shape: tuple[int, int] = (128, 128)) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (*shape, 3), dtype=np.uint8)


def flat(level: int) -> np.ndarray:
    return np.full((128, 128, 3), level, np.uint8)


def scene(change: float = 0.0) -> np.ndarray:
    """A picture of coarse patches, a quarter of which is `change` levels brighter."""
    levels = np.random.default_rng(4).integers(20, 200, (8, 8, 3)).astype(float)
    levels[:4, :4] += change
    return levels.repeat(16, 0).repeat(16, 1).clip(0, 255).astype(np.uint8)


def noisy(level: int, seed: int) -> np.ndarray:
    wobble = np.random.default_rng(seed).normal(0, 0.02 * 255 / 2, (128, 128, 3))
    return np.clip(level + wobble, 0, 255).astype(np.uint8)


class Dice(random.Random):
    """Throws what it is told."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self._value = value

    def random(self) -> float:
        return self._value


@pytest.mark.parametrize("size", SIZES)
def test_an_identical_picture_is_skipped_with_certainty_at_every_size(size):
    frame = picture(1, size)
    assert similarity(reduce(frame), reduce(frame)) == pytest.approx(1.0, abs=1e-6)
    keeper = SimilarityFilter(Dice(0.9999))
    assert not keeper.skips(frame, Similarity())
    assert keeper.skips(frame, Similarity())


@given(st.integers(0, 10_000), st.integers(0, 10_000))
def test_similarity_is_the_papers_cosine(a, b):
    x, y = (reduce(picture(seed, (16, 16))).ravel().astype(np.float64) for seed in (a, b))
    expected = (x @ y) / np.sqrt((x @ x) * (y @ y))
    assert similarity(*(reduce(picture(seed, (16, 16))) for seed in (a, b))) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("level", [0, 10, 60, 200, 245, 255])
def test_a_sensors_noise_does_not_wake_the_engine(level):
    assert similarity(reduce(noisy(level, 1)), reduce(noisy(level, 2))) > 0.999


def test_mid_grey_is_like_itself_and_unlike_all_else():
    grey, other = np.zeros((64, 64, 3), np.float32), reduce(picture(1))
    assert similarity(grey, grey) == 1.0
    assert similarity(grey, other) == similarity(other, grey) == 0.0


@pytest.mark.parametrize(("before", "after"), [(100, 115), (0, 60), (127, 0), (250, 200), (120, 135), (255, 0)])
def test_a_fade_of_a_flat_picture_is_a_change_though_the_cosine_is_blind_to_it(before, after):
    keeper = SimilarityFilter(Dice(0.0))
    keeper.skips(flat(before), Similarity())
    assert not keeper.skips(flat(after), Similarity())


@pytest.mark.parametrize("brightness", [0.9, 0.5, 0.1])
def test_lights_that_go_down_are_a_change(brightness):
    keeper = SimilarityFilter(Dice(0.0))
    keeper.skips(scene(), Similarity())
    assert not keeper.skips((scene() * brightness).astype(np.uint8), Similarity())


@given(st.floats(0, 1), st.floats(0, 0.99))
def test_the_skip_probability_is_the_papers(s, threshold):
    assert skip_probability(s, threshold) == max(0.0, (s - threshold) / (1 - threshold))
    assert 0 <= skip_probability(s, threshold) <= 1


@given(st.integers(0, 10_000), st.integers(0, 10_000))
def test_similarity_is_symmetric_and_within_bounds(a, b):
    x, y = reduce(picture(a, (16, 16))), reduce(picture(b, (16, 16)))
    assert similarity(x, y) == pytest.approx(similarity(y, x))
    assert -1 <= similarity(x, y) <= 1


def test_black_and_white_are_a_cut():
    keeper = SimilarityFilter(random.Random(0))
    keeper.skips(flat(0), Similarity())
    assert not keeper.cut
    assert not keeper.skips(flat(255), Similarity())
    assert keeper.cut


@pytest.mark.parametrize("limit", [0, 1, 3, 10])
def test_at_most_max_skips_in_a_row_and_the_count_starts_anew_after_each_render(limit):
    keeper = SimilarityFilter(random.Random(0))
    decisions = [keeper.skips(flat(90), Similarity(max_skips=limit)) for _ in range(1 + 3 * (limit + 1))]
    assert decisions == [False, *([True] * limit + [False]) * 3]


def test_without_a_reader_no_picture_is_reduced_and_the_next_counts_as_the_first(monkeypatch):
    keeper = SimilarityFilter(Dice(0.9999))
    off = Similarity(mode="off")
    keeper.skips(picture(1), Similarity())
    with monkeypatch.context() as patched:
        patched.setattr("sdstream.engine.similarity.reduce", lambda pixels: pytest.fail("nobody reads this"))
        assert not keeper.skips(picture(1), off, cuts=False)
    assert not keeper.skips(picture(1), Similarity())
    assert keeper.skips(picture(1), Similarity())


def test_skips_are_counted_in_a_row_not_altogether():
    keeper = SimilarityFilter(random.Random(0))
    settings = Similarity(max_skips=3)
    keeper.skips(flat(0), settings)
    for level in (255, 0, 255, 0):
        assert keeper.skips(flat(255 - level), settings)
        assert not keeper.skips(flat(level), settings)
    assert [keeper.skips(flat(0), settings) for _ in range(4)] == [True, True, True, False]


def test_only_rendered_pictures_are_compared_with():
    keeper = SimilarityFilter(Dice(0.0))
    settings = Similarity(mode="threshold", threshold=0.99, max_skips=1000)
    keeper.skips(scene(), settings)
    decisions = [keeper.skips(scene(change), settings) for change in range(1, 80)]
    assert decisions[0]
    assert not all(decisions)


def test_the_live_filter_skips_as_often_as_equation_nine_says():
    dice = random.Random(5)
    settings = Similarity(threshold=0.98, max_skips=100_000)
    s = similarity(reduce(scene()), reduce(scene(20)))
    keeper = SimilarityFilter(dice)
    skips = 0
    for _ in range(2000):
        keeper.reset()
        keeper.skips(scene(), settings)
        skips += keeper.skips(scene(20), settings)
    assert 0.05 < skip_probability(s, 0.98) < 0.95
    assert skips / 2000 == pytest.approx(skip_probability(s, 0.98), abs=0.04)


def decisions(frames: list[np.ndarray], seed: int) -> list[bool]:
    keeper = SimilarityFilter(random.Random(seed))
    return [keeper.skips(frame, Similarity()) for frame in frames]


def test_the_same_dice_give_the_same_decisions():
    frames = [scene(k % 25) for k in range(200)]
    first, second = decisions(frames, seed=3), decisions(frames, seed=3)
    assert first == second
    assert 0 < sum(first) < 200


def test_off_never_skips_and_a_fresh_recipe_is_always_rendered():
    keeper = SimilarityFilter(random.Random(0))
    assert not any(keeper.skips(flat(9), Similarity(mode="off")) for _ in range(5))
    assert keeper.skips(flat(9), Similarity())
    assert not keeper.skips(flat(9), Similarity(), fresh=True)
