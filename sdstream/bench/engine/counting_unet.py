"""A U-Net with a counter of rows."""

from collections.abc import Sequence

from torch import Tensor

from sdstream.engine.conditioning.condition import Condition
from sdstream.engine.denoising.stream_batch import Row
from sdstream.engine.networks import RowUNet


class CountingUNet:
    """Calls `unet`, and counts the rows of each call."""

    def __init__(self, unet: RowUNet) -> None:
        self.unet = unet
        self.rows = 0
        """U-Net rows run so far."""

    def __call__(self, x: Tensor, timesteps: Tensor, rows: Sequence[Row[Condition]]) -> Tensor:
        """Run the U-Net on x [rows, c, h, w]; the result has the same shape."""
        self.rows += len(x)
        return self.unet(x, timesteps, rows)
