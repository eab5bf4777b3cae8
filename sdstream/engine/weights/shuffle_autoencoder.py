"""Our own tiny autoencoder: pixels become channels, and the convolutions run at an eighth and a quarter of the size.

A linear pair (the principal components of 8x8 blocks) carries most of the picture; small convolutions add the rest. At
equal quality the cost is a fraction of an AutoencoderTiny with convolutions at full size.
"""

import torch.nn.functional as F  # noqa: N812 - the name that every torch reader knows
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTinyOutput
from diffusers.models.autoencoders.vae import DecoderOutput
from torch import Tensor, nn

BLOCK = 4
"""Side of a block of pixels; a block becomes a single position."""

CHANNELS = 3 * BLOCK**2
"""Channels of a block: three colours a pixel."""


def to_blocks(pictures: Tensor) -> Tensor:
    """Rows of pixels [n, 4 h, 4 w, 3] to blocks [n, 48, h, w], of any dtype."""
    n, height, width, colours = pictures.shape
    rows = pictures.reshape(n, height // BLOCK, BLOCK, width // BLOCK, BLOCK * colours).transpose(2, 3)
    return rows.reshape(n, height // BLOCK, width // BLOCK, -1).permute(0, 3, 1, 2)


def to_pictures(blocks: Tensor) -> Tensor:
    """Blocks [n, 48, h, w] to rows of pixels [n, 4 h, 4 w, 3], of any dtype."""
    n, channels, height, width = blocks.shape
    rows = blocks.permute(0, 2, 3, 1).reshape(n, height, width, BLOCK, channels // BLOCK).transpose(2, 3)
    return rows.reshape(n, height * BLOCK, width * BLOCK, -1)


class Block(nn.Module):
    """Two convolutions beside a skip connection."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Return x plus the convolutions' output; x and result [n, c, h, w]."""
        change: Tensor = self.second(F.relu(self.first(F.relu(x))))
        return x + change


class Encoder(nn.Module):
    """Pictures [n, 3, 8 h, 8 w] to latents [n, c, h, w]."""

    def __init__(self, latent: int, fine: int, coarse: int) -> None:
        super().__init__()
        self.linear = nn.Conv2d(CHANNELS, latent, 2, stride=2)
        self.quarter = nn.Conv2d(CHANNELS, fine, 3, padding=1)
        self.eighth = nn.Sequential(
            nn.ReLU(), nn.Conv2d(fine, coarse, 2, stride=2), nn.ReLU(), nn.Conv2d(coarse, latent, 3, padding=1)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Encode pictures in -1..1."""
        blocks = to_blocks(x.permute(0, 2, 3, 1))
        latent: Tensor = self.linear(blocks) + self.eighth(self.quarter(blocks))
        return latent


class Decoder(nn.Module):
    """Latents [n, c, h, w] to pictures [n, 3, 8 h, 8 w]."""

    def __init__(self, latent: int, fine: int, coarse: int) -> None:
        super().__init__()
        self.linear = nn.Conv2d(latent, 4 * CHANNELS, 1)
        self.eighth = nn.Sequential(
            nn.Conv2d(latent, coarse, 3, padding=1),
            Block(coarse),
            nn.ReLU(),
            nn.Conv2d(coarse, 4 * fine, 1),
            nn.PixelShuffle(2),
        )
        self.quarter = nn.Sequential(Block(fine), nn.ReLU(), nn.Conv2d(fine, CHANNELS, 3, padding=1))

    def forward(self, z: Tensor) -> Tensor:
        """Decode to pictures, about -1..1."""
        return to_pictures(self.paint(z)).permute(0, 3, 1, 2)

    def paint(self, z: Tensor) -> Tensor:
        """Decode to blocks [n, 48, 2 h, 2 w], about -1..1."""
        blocks: Tensor = F.pixel_shuffle(self.linear(z), 2) + self.quarter(self.eighth(z))
        return blocks


class AutoencoderShuffle(ModelMixin, ConfigMixin):  # type: ignore[misc]  # diffusers publishes no types
    """Encoder and decoder as a diffusers model: `encode(x).latents`, `decode(z).sample`, a config and safetensors.

    Diffusers reads the length of `block_out_channels` only: four levels, hence latents at an eighth of the size.
    """

    @register_to_config  # type: ignore[untyped-decorator]  # diffusers publishes no types
    def __init__(
        self,
        latent_channels: int = 24,
        fine_channels: int = 16,
        coarse_channels: int = 48,
        scaling_factor: float = 1.0,
        block_out_channels: tuple[int, ...] = (48, 48, 16, 48),
    ) -> None:
        super().__init__()
        del scaling_factor, block_out_channels  # read from the config
        self.encoder = Encoder(latent_channels, fine_channels, coarse_channels)
        self.decoder = Decoder(latent_channels, fine_channels, coarse_channels)

    def encode(self, x: Tensor) -> AutoencoderTinyOutput:
        """Encode pictures in -1..1."""
        return AutoencoderTinyOutput(latents=self.encoder(x))

    def decode(self, z: Tensor) -> DecoderOutput:
        """Decode latents."""
        return DecoderOutput(sample=self.decoder(z))

    def forward(self, x: Tensor) -> DecoderOutput:
        """Encode and decode."""
        return self.decode(self.encode(x).latents)
