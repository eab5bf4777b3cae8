"""Group norms written for graphs say what torch's own say."""

import pytest
import torch
from torch import nn

from sdstream.engine.openvino.norms import light_norms


def made(groups: int = 4, channels: int = 24) -> nn.GroupNorm:
    norm = nn.GroupNorm(groups, channels, eps=1e-5)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    return norm.requires_grad_(False)


@pytest.mark.parametrize("groups", [1, 4, 24])
@pytest.mark.parametrize(("offset", "tolerance"), [(0.0, 1e-5), (10.0, 1e-4), (100.0, 5e-3)])
def test_a_light_norm_says_the_same(groups, offset, tolerance):
    torch.manual_seed(0)
    norm, x = made(groups), torch.randn(3, 24, 6, 10) * 3 + offset
    expected = norm(x)
    with light_norms(nn.Sequential(norm)):
        assert norm.forward.func.__name__ == "_normalise"
        torch.testing.assert_close(norm(x), expected, atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize("level", [0.0, 7.0, 123.4])
def test_an_even_picture_gives_numbers(level):
    torch.manual_seed(0)
    norm = made()
    with light_norms(norm):
        assert norm(torch.full((1, 24, 9, 7), level)).isfinite().all()


def test_tokens_are_normalised_as_ever():
    torch.manual_seed(0)
    norm, tokens = made(), torch.randn(2, 24, 7)
    expected = norm(tokens)
    with light_norms(norm):
        torch.testing.assert_close(norm(tokens), expected)


def test_afterwards_the_norm_is_torchs_again_also_after_an_error():
    norm = made()
    with pytest.raises(RuntimeError), light_norms(norm):
        norm(torch.zeros(1, 5, 2, 2))
    assert "forward" not in vars(norm)
