"""The autoencoder that works below full size."""

import pytest
import torch

from sdstream.engine.autoencoder import Autoencoder
from sdstream.engine.weights.component import component
from sdstream.engine.weights.shuffle_autoencoder import AutoencoderShuffle, to_blocks, to_pictures


@pytest.fixture
def made():
    torch.manual_seed(0)
    return AutoencoderShuffle(latent_channels=4, fine_channels=8, coarse_channels=8).requires_grad_(False)


def test_a_latent_covers_eight_by_eight_pixels(made):
    assert made.encode(torch.zeros(2, 3, 64, 96)).latents.shape == (2, 4, 8, 12)


def test_a_decoded_picture_has_its_size_back(made):
    assert made(torch.zeros(1, 3, 64, 96)).sample.shape == (1, 3, 64, 96)


def test_the_engine_counts_eight_pixels_a_latent(made):
    assert Autoencoder(made).factor == 8


def test_a_saved_autoencoder_loads_strictly_and_gives_the_same_pictures(made, tmp_path):
    made.save_pretrained(tmp_path, safe_serialization=True)
    again = component(AutoencoderShuffle, tmp_path, "autoencoder", torch_dtype=torch.float32)
    picture = torch.rand(1, 3, 32, 32) * 2 - 1
    torch.testing.assert_close(again(picture).sample, made(picture).sample)


def test_moving_the_picture_by_a_latent_moves_the_latents(made):
    picture = torch.rand(1, 3, 64, 160) * 2 - 1
    whole = made.encode(picture).latents
    moved = made.encode(picture[..., 8:]).latents
    torch.testing.assert_close(moved[..., 6:-6], whole[..., 7:-6], atol=1e-5, rtol=1e-5)


def test_blocks_hold_the_pixels_of_their_own_place_and_go_back():
    picture = torch.arange(2 * 8 * 12 * 3).reshape(2, 8, 12, 3)
    blocks = to_blocks(picture)
    assert blocks.shape == (2, 48, 2, 3)
    assert blocks[1, :, 1, 2].tolist() == picture[1, 4:8, 8:12].flatten().tolist()
    assert torch.equal(to_pictures(blocks), picture)
