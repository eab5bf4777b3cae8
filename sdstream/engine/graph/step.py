"""A frame as a function without arguments and results, over fixed buffers: what CUDA can record."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from sdstream.engine.autoencoder import Autoencoder, to_levels
from sdstream.engine.denoising.row_numbers import RowNumbers
from sdstream.engine.graph.shape import Shape
from sdstream.engine.graph.tables import Inputs, Tables
from sdstream.engine.graph.unet import TableUNet

Results = tuple[Tensor, Tensor, Tensor]
"""The picture [H, W, 3] uint8, and x and reference of each row for the next stage, [stages, c, h, w] each."""


class FrameFunction(nn.Module):
    """Encoder, mix with the noise, U-Net on all rows, step and decoder: from the tables to the results.

    Nothing here depends on the numbers in the tables but the numbers of the results: no branch, no size, no wait.
    """

    def __init__(self, unet: TableUNet, autoencoder: Autoencoder, shape: Shape, *, from_camera: bool) -> None:
        """Without `from_camera` (txt2img) every frame starts from an empty latent."""
        super().__init__()
        self.unet, self.decoder_and_encoder = unet, autoencoder.module
        self._coder, self._shape, self._from_camera = autoencoder, shape, from_camera
        self._dtype = next(unet.parameters()).dtype

    def forward(self, *tables: Tensor) -> Results:
        """Compute a frame from `tables`, in the order of `Inputs`."""
        told = Inputs(*tables)
        row = RowNumbers(*told.numbers.view(len(told.numbers), -1, 1, 1, 1).unbind(1))  # [stages, 1, 1, 1] each
        stages, negatives = self._shape.stages, self._shape.negatives
        latent = self._encode(told.pixels) if self._from_camera else torch.zeros_like(told.enter)  # [1, c, h, w]
        x = torch.cat((row.signal[:1] * latent + row.noise[:1] * told.enter, told.x[1:]))  # [stages, c, h, w]
        ref = torch.cat((latent, told.ref[1:]))  # [stages, c, h, w]
        batch = torch.cat((x, x[:negatives])) if negatives else x  # [rows, c, h, w]
        batch = batch.to(self._dtype).contiguous(memory_format=torch.channels_last)
        output = self.unet(
            batch, told.time, told.prompt, stages if self._shape.together else 0
        ).float()  # [rows, c, h, w]
        if negatives:
            estimate = row.negative_x_weight * x + row.negative_output_weight * self._spread(output[stages:])
            ref = torch.where(row.negative > 0, estimate.nan_to_num(0.0, 0.0, 0.0), ref)  # [stages, c, h, w]
        clean = row.x_weight * x + row.output_weight * output[:stages] + row.ref_weight * ref  # [stages, c, h, w]
        clean = clean.nan_to_num(0.0, 0.0, 0.0)  # half precision can overflow; see `StreamBatch`
        finished = row.end_clean[-1:] * clean[-1:] + row.end_x[-1:] * x[-1:]  # [1, c, h, w]
        picture = to_levels(self._coder.decode(finished)[0]).permute(1, 2, 0)  # [H, W, 3]
        return picture, told.onward + row.next_signal * clean + row.next_drift * x, ref

    def _encode(self, pixels: Tensor) -> Tensor:
        picture = self._coder.to_range(pixels).unsqueeze(0)  # [1, 3, H, W]
        return self._coder.encode(picture).nan_to_num(0.0, 0.0, 0.0)  # [1, c, h, w]

    def _spread(self, negative: Tensor) -> Tensor:
        """Return the output of the negative rows for all stages; zeros where a row has none.  # [stages, c, h, w]"""
        missing = self._shape.stages - len(negative)
        return torch.cat((negative, negative.new_zeros(missing, *negative.shape[1:]))) if missing else negative


class FrameStep:
    """A frame of `shape` over `tables`."""

    def __init__(self, function: Callable[..., Results], tables: Tables, shape: Shape) -> None:
        self._function, self._tables, self._stages = function, tables, shape.stages
        self._inputs = tables.inputs(shape)

    def step(self) -> None:
        """Compute a frame from `pixels` to `picture`, and move x and reference of every row a stage on."""
        picture, x, ref = self._function(*self._inputs)
        tables = self._tables
        tables.picture.copy_(picture)  # [H, W, 3]
        if self._stages > 1:
            tables.x[1:].copy_(x[:-1])  # [stages - 1, c, h, w]
            tables.ref[1:].copy_(ref[:-1])  # [stages - 1, c, h, w]
