"""A U-Net that counts the rows that it is asked for."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from sdstream.engine.conditioning.condition import Condition
from sdstream.engine.denoising.stream_batch import Row
from sdstream.engine.networks import RowUNet


class CountingUNet:
    """Calls `unet`, and counts its rows."""

    def __init__(self, unet: RowUNet) -> None:
        self.unet = unet
        self.rows = 0
        """U-Net rows run so far."""

    def __call__(self, x: Tensor, timesteps: Tensor, rows: Sequence[Row[Condition]]) -> Tensor:
        """Run one call of the U-Net: x [rows, c, h, w] and the result likewise."""
        self.rows += len(x)
        return self.unet(x, timesteps, rows)

    def __getattr__(self, name: str) -> Any:  # whatever else the U-Net has
        return getattr(self.unet, name)
