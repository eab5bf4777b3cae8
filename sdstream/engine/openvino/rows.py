"""The U-Net as a module for tracing: all inputs are tensors.

`Any` stands for diffusers' modules: the attributes have no static types.
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own documentation uses this name
from torch import Tensor, nn

from sdstream.engine.models import refuse_other_kinds
from sdstream.engine.openvino.int8 import rounded
from sdstream.engine.openvino.norms import light_norms
from sdstream.engine.shared_module import copy_structure
from sdstream.engine.weights.activation_ranges import Ranges

LARGEST = 1e30
"""Bound of a key or a value; keys and values of a working network are far smaller."""


class PlainUNet(nn.Module):
    """A copy of a U-Net without attention between rows."""

    def __init__(self, unet: Any, ranges: Ranges, *, light: bool = False) -> None:
        """Run the convolutions in `ranges` in int8 (see `int8`). `light` takes the group norms of `norms`."""
        from diffusers.models.attention_processor import AttnProcessor2_0

        super().__init__()
        self.unet = copy_structure(unet)
        self._ranges = ranges
        self._norms = light_norms if light else nullcontext
        self.unet.set_attn_processor(AttnProcessor2_0())

    def forward(self, x: Tensor, times: Tensor, tokens: Tensor, *added: Tensor) -> Tensor:
        """Run the U-Net on x [rows, c, h, w], times [rows, sinusoids] and tokens [rows, tokens, dim].

        SDXL also needs pooled prompts [rows, dim] and sizes [rows, 6 * sinusoids]. Times and sizes come from
        `Sinusoids`. The result has the shape of x.
        """
        embedded, conditions = {"time_proj": times}, None
        if added:
            pooled, sizes = added  # [rows, dim], [rows, 6 * sinusoids]
            embedded["add_time_proj"] = sizes
            conditions = {"text_embeds": pooled, "time_ids": sizes}
        with self._norms(self.unet), rounded(self.unet, self._ranges), _fixed_outputs(self.unet, embedded):
            output: Tensor = self.unet(x, times[:, 0], tokens, added_cond_kwargs=conditions, return_dict=False)[0]
        return output  # [rows, c, h, w]


class CrossFrameUNet(PlainUNet):
    """A copy of a U-Net with attention between the rows of the same scene number (paper section 3.2)."""

    def __init__(self, unet: Any, ranges: Ranges, *, light: bool = False) -> None:
        """Take the arguments of `PlainUNet`."""
        super().__init__(unet, ranges, light=light)
        self._attention = SceneAttention()
        processors = dict(self.unet.attn_processors)
        for name in processors:
            layer = self.unet.get_submodule(name.removesuffix(".processor"))
            refuse_other_kinds(name, layer)
            if not layer.is_cross_attention:
                processors[name] = self._attention
        self.unet.set_attn_processor(processors)

    def forward(self, scenes: Tensor, x: Tensor, times: Tensor, tokens: Tensor, *added: Tensor) -> Tensor:  # type: ignore[override]  # scenes come first
        """Run with `scenes` [rows] int64, and the inputs of `PlainUNet`."""
        self._attention.scenes = scenes
        return super().forward(x, times, tokens, *added)


class Sinusoids:
    """Sinusoidal embeddings of timesteps and sizes, computed in float32 outside of the graph.

    A graph in bfloat16 would round a timestep of 519 to 520. Against float32, the PSNR of `mini` at 128x128 was 33 to
    46 dB with embeddings inside the graph, and is 53 to 56 dB.
    """

    def __init__(self, unet: Any) -> None:
        self._unet = unet

    def of_times(self, timesteps: Tensor) -> Tensor:
        """Embed timesteps [rows].  # [rows, sinusoids]"""
        embedded: Tensor = self._unet.time_proj(timesteps)  # [rows, sinusoids]
        return embedded.float()

    def of_sizes(self, sizes: Tensor) -> Tensor:
        """Embed SDXL's six sizes [6].  # [6 * sinusoids]"""
        embedded: Tensor = self._unet.add_time_proj(sizes)  # [6, sinusoids]
        return embedded.float().flatten()


@contextmanager
def _fixed_outputs(unet: Any, results: dict[str, Tensor]) -> Iterator[None]:
    """Make the submodules named in `results` return the given tensors, for every input, within the `with` block."""
    for name, result in results.items():
        unet.get_submodule(name).forward = lambda _, result=result: result
    try:
        yield
    finally:
        for name in results:
            del unet.get_submodule(name).forward


class SceneAttention:
    """Self-attention of every row to the keys and values of all rows of the same scene, in a single sequence."""

    def __init__(self) -> None:
        self.scenes: Tensor

    def __call__(self, attn: Any, hidden_states: Tensor, *_: object, **__: object) -> Tensor:
        """Attend; the names are diffusers' protocol."""
        rows, tokens, dim = hidden_states.shape
        q = attn.to_q(hidden_states).view(rows, tokens, attn.heads, -1).transpose(1, 2)  # [rows, heads, tokens, d]
        k, v = (
            _finite(project(hidden_states))
            .reshape(1, rows * tokens, attn.heads, -1)
            .transpose(1, 2)
            .expand(rows, -1, -1, -1)
            for project in (attn.to_k, attn.to_v)
        )  # [rows, heads, rows * tokens, d]
        same = self.scenes.unsqueeze(1) == self.scenes.unsqueeze(0)  # [rows, rows]
        mask = same.unsqueeze(2).expand(-1, -1, tokens).reshape(rows, 1, 1, -1)  # [rows, 1, 1, rows * tokens]
        attended = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)  # [rows, heads, tokens, d]
        result = attended.transpose(1, 2).reshape(rows, tokens, dim)  # [rows, tokens, dim]
        projection, dropout = attn.to_out
        output: Tensor = dropout(projection(result))
        return output


def _finite(t: Tensor) -> Tensor:
    """Replace NaN and infinity by 0: a masked NaN is NaN still, and a row that overflowed would spoil every row.

    OpenVINO converts no `nan_to_num`; a comparison with NaN is false.
    """
    return torch.where(t.abs() < LARGEST, t, torch.zeros_like(t))
