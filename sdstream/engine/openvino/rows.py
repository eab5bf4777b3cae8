"""The U-Net as a module with tensors for inputs and nothing else, as a graph is made of.

`Any` stands for diffusers' modules, whose attributes have no static types.
"""

from contextlib import nullcontext
from typing import Any

import torch.nn.functional as F  # noqa: N812 - the name that every torch reader knows
from torch import Tensor, nn

from sdstream.engine.attention import refuse_other_kinds
from sdstream.engine.openvino.int8 import rounded
from sdstream.engine.openvino.norms import light_norms
from sdstream.engine.ranges import Ranges


class Alone(nn.Module):
    """Every row looks at itself only."""

    def __init__(self, unet: Any, ranges: Ranges, *, light: bool = False) -> None:
        """Round what `ranges` name (see `int8`); `light`: with the group norms of `norms`."""
        from diffusers.models.attention_processor import AttnProcessor2_0

        super().__init__()
        self.unet = unet
        self._ranges = ranges
        self._norms = light_norms if light else nullcontext
        unet.set_attn_processor(AttnProcessor2_0())

    def forward(self, x: Tensor, timesteps: Tensor, tokens: Tensor, *added: Tensor) -> Tensor:
        """x [rows, c, h, w], timesteps [rows], tokens [rows, tokens, dim]; SDXL: pooled prompts and sizes too."""
        more = dict(zip(("text_embeds", "time_ids"), added, strict=False)) or None
        with self._norms(self.unet), rounded(self.unet, self._ranges):
            output: Tensor = self.unet(x, timesteps, tokens, added_cond_kwargs=more, return_dict=False)[0]
        return output


class Together(Alone):
    """Rows with the same number of scene look at each other in self-attention (paper section 3.2)."""

    def __init__(self, unet: Any, ranges: Ranges, *, light: bool = False) -> None:
        """As `Alone`."""
        super().__init__(unet, ranges, light=light)
        self._attention = SceneAttention()
        processors = dict(unet.attn_processors)
        for name in processors:
            layer = unet.get_submodule(name.removesuffix(".processor"))
            refuse_other_kinds(name, layer)
            if not layer.is_cross_attention:
                processors[name] = self._attention
        unet.set_attn_processor(processors)

    def forward(self, scenes: Tensor, x: Tensor, timesteps: Tensor, tokens: Tensor, *added: Tensor) -> Tensor:  # type: ignore[override]  # one input more, in front
        """`scenes` [rows]; the others as before."""
        self._attention.scenes = scenes
        return super().forward(x, timesteps, tokens, *added)


class SceneAttention:
    """Self-attention of every row to the keys and values of its whole scene, in one sequence."""

    def __init__(self) -> None:
        self.scenes: Tensor

    def __call__(self, attn: Any, hidden_states: Tensor, *_: object, **__: object) -> Tensor:
        """Attend; the names are diffusers' protocol."""
        rows, tokens, dim = hidden_states.shape  # as many keys are read as all rows have
        q = attn.to_q(hidden_states).view(rows, tokens, attn.heads, -1).transpose(1, 2)  # [rows, heads, tokens, d]
        k, v = (
            project(hidden_states).reshape(1, rows * tokens, attn.heads, -1).transpose(1, 2).expand(rows, -1, -1, -1)
            for project in (attn.to_k, attn.to_v)
        )  # [rows, heads, rows * tokens, d]
        seen = self.scenes.unsqueeze(1) == self.scenes.unsqueeze(0)  # [rows, rows]
        mask = seen.unsqueeze(2).expand(-1, -1, tokens).reshape(rows, 1, 1, -1)
        result = F.scaled_dot_product_attention(q, k, v, attn_mask=mask).transpose(1, 2).reshape(rows, tokens, dim)
        projection, dropout = attn.to_out
        output: Tensor = dropout(projection(result))
        return output
