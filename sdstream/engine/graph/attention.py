"""Attention layers of a recorded frame: the tables come in by arguments, so that the U-Net is a function.

`Any` stands for diffusers' modules: the attributes have no static types.
"""

from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own documentation uses this name
from torch import Tensor


class SelfAttention:
    """Self-attention; the first `together` rows form a single sequence, and each further row is alone.

    The layer has the weight of `layout.join_projections` as the buffer `joined`.
    """

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,  # [rows, tokens, dim]
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
        together: int = 0,
    ) -> Tensor:
        """Attend; the names are diffusers' protocol."""
        del encoder_hidden_states, attention_mask, temb
        if attn.joined is None:
            q, k, v = attn.to_q(hidden_states), attn.to_k(hidden_states), attn.to_v(hidden_states)
        else:
            q, k, v = F.linear(hidden_states, attn.joined).chunk(3, dim=2)  # [rows, tokens, dim] each
        if together == 0:
            return _out(attn, _attend(attn, q, k, v))
        scene = _scene(attn, *(t[:together] for t in (q, k, v)))  # [together, tokens, dim]
        if len(hidden_states) == together:
            return _out(attn, scene)
        alone = _attend(attn, *(t[together:] for t in (q, k, v)))  # [rows - together, tokens, dim]
        return _out(attn, torch.cat((scene, alone)))


class PromptAttention:
    """Cross-attention with keys and values from columns of the table of prompts."""

    def __init__(self, start: int, width: int) -> None:
        """The keys begin at column `start`; the values follow, and both have `width` columns."""
        self._start, self._width = start, width

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,  # [rows, tokens, dim]
        encoder_hidden_states: Tensor,  # [rows, tokens of the prompt, columns]
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
        together: int = 0,
    ) -> Tensor:
        """Attend; the names are diffusers' protocol."""
        del attention_mask, temb, together
        columns = encoder_hidden_states[:, :, self._start : self._start + 2 * self._width]
        k, v = columns.chunk(2, dim=2)  # [rows, tokens of the prompt, width] each
        return _out(attn, _attend(attn, attn.to_q(hidden_states), k, v))


def _scene(attn: Any, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Attend as a single sequence; all [rows, tokens, dim]."""
    # A row that overflowed keeps NaN to itself: as a key or a value, NaN would reach every row of the scene.
    k, v = k.nan_to_num(0.0, 0.0, 0.0), v.nan_to_num(0.0, 0.0, 0.0)
    sequence = _attend(attn, *(t.reshape(1, -1, t.shape[2]) for t in (q, k, v)))  # [1, rows * tokens, dim]
    return sequence.reshape(q.shape)


def _attend(attn: Any, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    q, k, v = (t.view(*t.shape[:2], attn.heads, -1).transpose(1, 2) for t in (q, k, v))  # [rows, heads, tokens, d] each
    return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)


def _out(attn: Any, t: Tensor) -> Tensor:
    projected: Tensor = attn.to_out[0](t)  # without the dropout, which does nothing here
    return projected
