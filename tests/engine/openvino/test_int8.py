"""A convolution in whole numbers says nearly what it says in fractions."""

import pytest
import torch
from torch import nn

from sdstream.engine.openvino.int8 import rounded


def made(**more: object) -> nn.Conv2d:
    torch.manual_seed(0)
    return nn.Conv2d(16, 8, 3, padding=1, **more).requires_grad_(False)


@pytest.mark.parametrize("low", [0.0, -0.278, -3.0])
@pytest.mark.parametrize("more", [{}, {"stride": 2}, {"bias": False}, {"padding_mode": "reflect"}])
def test_rounding_costs_less_than_two_hundredths(low, more):
    module = nn.Sequential(made(**more))
    x = torch.rand(2, 16, 12, 10) * (3.0 - low) + low
    expected = module(x)
    with rounded(module, {"0": (low, 3.0)}):
        result = module(x)
    assert not torch.equal(result, expected)
    assert (result - expected).std() < 0.02 * expected.std()
    assert torch.equal(module(x), expected)


def test_what_lies_outside_goes_to_the_end():
    module = nn.Sequential(made())
    with rounded(module, {"0": (-1.0, 2.0)}):
        far, end = (module(torch.full((1, 16, 6, 6), level)) for level in (50.0, 2.0))
    torch.testing.assert_close(far, end)


def test_nothing_stays_nothing_wherever_it_lies_between_the_ends():
    module = nn.Sequential(made())
    expected = module(torch.zeros(1, 16, 6, 6))
    with rounded(module, {"0": (-0.2784, 9.13)}):
        assert torch.equal(module(torch.zeros(1, 16, 6, 6)), expected)


def test_an_output_channel_without_weights_gives_its_bias():
    module = nn.Sequential(made())
    module[0].weight[3] = 0
    with rounded(module, {"0": (-1.0, 1.0)}):
        result = module(torch.randn(1, 16, 6, 6))
    torch.testing.assert_close(result[:, 3], module[0].bias[3].expand(1, 6, 6))


def test_the_convolution_is_itself_again_after_an_error():
    module = nn.Sequential(made())
    with pytest.raises(RuntimeError), rounded(module, {"0": (-1.0, 1.0)}):
        module(torch.zeros(1, 15, 6, 6))
    assert "forward" not in vars(module[0])
