"""The noise cache and the blends."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sdstream.controls import WeightedSeed
from sdstream.engine.denoising.blend import linear, slerp
from sdstream.engine.denoising.noise import NoiseCache, mix_noise

SHAPE = (4, 32, 32)


def test_a_seed_is_drawn_once_and_its_first_stages_do_not_depend_on_how_many_there_are():
    cache = NoiseCache(SHAPE)
    assert cache.draw(7, 4) is cache.draw(7, 4)
    assert torch.equal(cache.draw(7, 4)[:2], NoiseCache(SHAPE).draw(7, 2))
    assert not torch.equal(cache.draw(7, 4), cache.draw(8, 4))
    assert not torch.equal(cache.draw(7, 2)[0], cache.draw(7, 2)[1])


def test_blended_noise_is_worked_out_once():
    cache = NoiseCache(SHAPE)
    seeds = (WeightedSeed(seed=1), WeightedSeed(seed=2))
    assert cache.mix(seeds, "slerp", 2) is cache.mix(seeds, "slerp", 2)


@pytest.mark.parametrize("blend", ["linear", "slerp"])
def test_a_blend_of_one_seed_is_that_seed(blend):
    cache = NoiseCache(SHAPE)
    assert torch.equal(cache.mix((WeightedSeed(seed=7, weight=0.3),), blend, 2), cache.draw(7, 2))


def test_the_cache_stays_small():
    cache = NoiseCache((1, 2, 2), cache_size=5)
    for seed in range(100):
        cache.draw(seed, 2)
    assert len(cache.cache) == 5


@pytest.mark.parametrize("blend", ["linear", "slerp"])
@given(weights=st.lists(st.floats(0.01, 1), min_size=1, max_size=4))
def test_blended_noise_keeps_unit_variance(blend, weights):
    seeds = tuple(WeightedSeed(seed=i, weight=weight) for i, weight in enumerate(weights))
    noise = NoiseCache(SHAPE).mix(seeds, blend, 2)
    assert noise.shape == (2, *SHAPE)
    assert float(noise.std()) == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("blend", ["linear", "slerp"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_seed_twice_and_a_fade_that_turns_back_keep_unit_variance_too(blend, share):
    cache = NoiseCache(SHAPE)
    twice = cache.mix((WeightedSeed(seed=3), WeightedSeed(seed=3, weight=share)), blend, 2)
    torch.testing.assert_close(twice, cache.draw(3, 2))
    half_way = mix_noise([(cache.draw(1, 2), 0.5), (cache.draw(2, 2), 0.5)], blend)
    back = mix_noise([(half_way, 1 - share), (cache.draw(1, 2), share)], blend)
    assert float(back.std()) == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("way", [linear, slerp])
def test_the_whole_weight_on_a_part_gives_that_part(way):
    a, b = torch.randn(2, 5, 8, generator=torch.Generator().manual_seed(0)).unbind()
    torch.testing.assert_close(way([(a, 1.0), (b, 0.0)]), a)
    torch.testing.assert_close(way([(a, 0.0), (b, 3.0)]), b)


def test_slerp_moves_at_even_angles_and_averages_lengths():
    a, b = torch.tensor([2.0, 0.0]), torch.tensor([0.0, 4.0])
    middle = slerp([(a, 1.0), (b, 1.0)])
    torch.testing.assert_close(middle, torch.tensor([3.0, 3.0]) / 2**0.5)


@pytest.mark.parametrize("factor", [1.0, -1.0, 0.0])
def test_slerp_of_parallel_opposite_and_zero_vectors_is_finite(factor):
    a = torch.tensor([1.0, 2.0, 3.0])
    assert bool(torch.isfinite(slerp([(a, 1.0), (a * factor, 1.0)])).all())
