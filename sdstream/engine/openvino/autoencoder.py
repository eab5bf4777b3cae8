"""The autoencoder as two graphs: bytes to latents, and latents to bytes. All pixel arithmetic is in the graphs."""

import numpy as np
import torch
from torch import Tensor, nn

from sdstream.engine.artefacts import ArtefactStore
from sdstream.engine.autoencoder import Autoencoder, to_levels
from sdstream.engine.openvino.graph import Graph, NetworkSource
from sdstream.engine.openvino.int8 import rounded
from sdstream.engine.openvino.runtime import Runtime
from sdstream.engine.weights.activation_ranges import Ranges
from sdstream.engine.weights.shuffle_autoencoder import AutoencoderShuffle, to_pictures
from sdstream.frame import Pixels


class GraphAutoencoder:
    """Pixels to scaled latents and back, like `Autoencoder`."""

    def __init__(
        self,
        runtime: Runtime,
        reference: Autoencoder,
        shape: tuple[int, int, int],
        ranges: Ranges,
        store: ArtefactStore | None,
    ) -> None:
        """`shape` is a latent's (c, h, w); `ranges`: see `int8`."""
        self.factor = reference.factor
        """Pixels of the picture for each number of the latent, along a side."""
        channels, height, width = shape
        self._latent = (1, channels, height, width)
        self._picture = (1, height * self.factor, width * self.factor, 3)
        pixels, latent = torch.zeros(self._picture, dtype=torch.uint8), torch.zeros(self._latent)
        self._encoder = Graph(runtime, NetworkSource("encoder", lambda: _Encode(reference, ranges), (pixels,)), store)
        self._decoder = Graph(runtime, NetworkSource("decoder", lambda: _Decode(reference, ranges), (latent,)), store)

    def prepare(self) -> None:
        """Compile both graphs."""
        self._encoder.ready(1)
        self._decoder.ready(1)

    def to_latent(self, pixels: Pixels) -> Tensor:
        """Encode a picture of the engine's size.  # [1, c, h, w] float32"""
        latent = torch.empty(self._latent)  # [1, c, h, w]
        readable = np.require(pixels, np.uint8, ["C", "W"])  # OpenVINO rejects the mailbox's read-only arrays
        self._encoder.run([torch.from_numpy(readable).unsqueeze(0)], latent.numpy())
        return latent

    def to_picture(self, latent: Tensor) -> Pixels:
        """Decode a latent [1, c, h, w] into a new picture."""
        picture = np.empty(self._picture[1:], np.uint8)  # [H, W, 3]
        self._decoder.run([latent.contiguous()], picture[None])
        return picture


class _Encode(nn.Module):
    def __init__(self, autoencoder: Autoencoder, ranges: Ranges) -> None:
        super().__init__()
        self.module = autoencoder.module
        self._autoencoder, self._ranges = autoencoder, ranges

    def forward(self, pixels: Tensor) -> Tensor:
        """Pixels [n, H, W, 3] uint8 to latents [n, c, h, w]."""
        levels = pixels.float().mul(2 / 255).sub(1)  # [n, H, W, 3], -1..1
        with rounded(self.module, self._ranges):
            return self._autoencoder.encode(levels.permute(0, 3, 1, 2))  # free: AutoencoderShuffle permutes back


class _Decode(nn.Module):
    def __init__(self, autoencoder: Autoencoder, ranges: Ranges) -> None:
        super().__init__()
        self.module = autoencoder.module
        self._autoencoder, self._ranges = autoencoder, ranges

    def forward(self, latent: Tensor) -> Tensor:
        """Latents [n, c, h, w] to pixels [n, H, W, 3] uint8."""
        with rounded(self.module, self._ranges):
            if isinstance(self.module, AutoencoderShuffle):  # bytes first: a quarter as much memory to move
                return to_pictures(to_levels(self.module.decoder.paint(self._autoencoder.unscale(latent))))
            return to_levels(self._autoencoder.decode(latent)).permute(0, 2, 3, 1)
