"""The U-Net as a module with tensors for inputs and nothing else, as a graph is made of.

`Any` stands for diffusers' modules, whose attributes have no static types.
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch.nn.functional as F  # noqa: N812 - the name that every torch reader knows
from torch import Tensor, nn

from sdstream.engine.models import refuse_other_kinds
from sdstream.engine.openvino.int8 import rounded
from sdstream.engine.openvino.norms import light_norms
from sdstream.engine.shared_module import copy_structure
from sdstream.engine.weights.activation_ranges import Ranges


class PlainUNet(nn.Module):
    """A copy of a U-Net in which every row attends to itself only."""

    def __init__(self, unet: Any, ranges: Ranges, *, light: bool = False) -> None:
        """Round the convolutions in `ranges` (see `int8`); `light`: with the group norms of `norms`."""
        from diffusers.models.attention_processor import AttnProcessor2_0

        super().__init__()
        self.unet = copy_structure(unet)
        self._ranges = ranges
        self._norms = light_norms if light else nullcontext
        self.unet.set_attn_processor(AttnProcessor2_0())

    def forward(self, x: Tensor, times: Tensor, tokens: Tensor, *added: Tensor) -> Tensor:
        """x [rows, c, h, w], times [rows, waves], tokens [rows, tokens, dim]; SDXL: pooled prompts and sizes too.

        Times and sizes are the waves that `Waves` makes of them.
        """
        waves, conditions = {"time_proj": times}, None
        if added:
            pooled, sizes = added  # [rows, dim], [rows, 6 * waves]
            waves["add_time_proj"] = sizes
            conditions = {"text_embeds": pooled, "time_ids": sizes}
        with self._norms(self.unet), rounded(self.unet, self._ranges), _answering(self.unet, waves):
            output: Tensor = self.unet(x, times[:, 0], tokens, added_cond_kwargs=conditions, return_dict=False)[0]
        return output  # [rows, c, h, w]


class CrossFrameUNet(PlainUNet):
    """A copy of a U-Net in which rows with the same scene number attend to each other (paper section 3.2)."""

    def __init__(self, unet: Any, ranges: Ranges, *, light: bool = False) -> None:
        """As `PlainUNet`."""
        super().__init__(unet, ranges, light=light)
        self._attention = SceneAttention()
        processors = dict(self.unet.attn_processors)
        for name in processors:
            layer = self.unet.get_submodule(name.removesuffix(".processor"))
            refuse_other_kinds(name, layer)
            if not layer.is_cross_attention:
                processors[name] = self._attention
        self.unet.set_attn_processor(processors)

    def forward(self, scenes: Tensor, x: Tensor, times: Tensor, tokens: Tensor, *added: Tensor) -> Tensor:  # type: ignore[override]  # one input more, in front
        """`scenes` [rows] int64; the other inputs as for `PlainUNet`."""
        self._attention.scenes = scenes
        return super().forward(x, times, tokens, *added)


class Waves:
    """The sines and cosines that a U-Net makes of timesteps and sizes, in float32 and outside of the graph.

    A graph that computes in bfloat16 would round the numbers themselves, 519 to 520: at 128x128 the pictures of `mini`
    were 33 to 46 dB from float32's, and are 53 to 56 dB.
    """

    def __init__(self, unet: Any) -> None:
        self._unet = unet

    def of_times(self, timesteps: Tensor) -> Tensor:
        """timesteps [rows]; the result [rows, waves]."""
        waves: Tensor = self._unet.time_proj(timesteps)
        return waves.float()

    def of_sizes(self, sizes: Tensor) -> Tensor:
        """SDXL's six numbers [6]; the result [6 * waves]."""
        waves: Tensor = self._unet.add_time_proj(sizes)  # [6, waves]
        return waves.float().flatten()


@contextmanager
def _answering(unet: Any, results: dict[str, Tensor]) -> Iterator[None]:
    """Have the projections of these names return `results`, whatever their input, while this lasts."""
    for name, result in results.items():
        unet.get_submodule(name).forward = lambda _, result=result: result
    try:
        yield
    finally:
        for name in results:
            del unet.get_submodule(name).forward


class SceneAttention:
    """Self-attention of every row to the keys and values of its whole scene, in one sequence."""

    def __init__(self) -> None:
        self.scenes: Tensor

    def __call__(self, attn: Any, hidden_states: Tensor, *_: object, **__: object) -> Tensor:
        """Attend; the names are diffusers' protocol."""
        rows, tokens, dim = hidden_states.shape
        q = attn.to_q(hidden_states).view(rows, tokens, attn.heads, -1).transpose(1, 2)  # [rows, heads, tokens, d]
        k, v = (
            project(hidden_states).reshape(1, rows * tokens, attn.heads, -1).transpose(1, 2).expand(rows, -1, -1, -1)
            for project in (attn.to_k, attn.to_v)
        )  # [rows, heads, rows * tokens, d]
        seen = self.scenes.unsqueeze(1) == self.scenes.unsqueeze(0)  # [rows, rows]
        mask = seen.unsqueeze(2).expand(-1, -1, tokens).reshape(rows, 1, 1, -1)  # [rows, 1, 1, rows * tokens]
        attended = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)  # [rows, heads, tokens, d]
        result = attended.transpose(1, 2).reshape(rows, tokens, dim)  # [rows, tokens, dim]
        projection, dropout = attn.to_out
        output: Tensor = dropout(projection(result))
        return output
