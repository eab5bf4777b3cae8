"""Attention of the U-Net: the prompt's keys and values kept (paper A.2), and frames that look at each other (3.2).

Both need attention layers of the usual Stable Diffusion kind; others are refused, never left out silently.
`Any` stands for diffusers' modules, whose attributes have no static types.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - the name that every torch reader knows
from torch import Tensor

from sdstream.engine.conditioning.prompt import Embedding
from sdstream.errors import Unavailable

Span = tuple[int, int, bool]
"""Rows from, to (exclusive), and whether they look at each other."""

Told = tuple[Embedding, tuple[float, ...]]
"""A prompt, and the LoRA weights under which its keys and values hold."""

Adapt = Callable[[Sequence[tuple[float, ...]]], None]
"""Tells the U-Net's layers under which LoRA weights the next rows are to be worked out."""


@dataclass
class Layer:
    """The keys and values that one cross-attention layer uses in this call."""

    attention: Any
    current: tuple[Tensor, Tensor] | None = None  # each [rows, heads, tokens, d]
    kept: dict[Told, tuple[Tensor, Tensor]] = field(default_factory=dict)  # each [1, heads, tokens, d]


class FrameAttention:
    """Self-attention; the rows of a span form one long sequence, so each attends to every frame of it."""

    def __init__(self, spans: "Spans") -> None:
        self._spans = spans

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,  # [rows, tokens, dim]
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
    ) -> Tensor:
        """Attend; the names are diffusers' protocol."""
        del encoder_hidden_states, attention_mask, temb
        q, k, v = (project(hidden_states) for project in (attn.to_q, attn.to_k, attn.to_v))
        attended = self._by_spans(attn, q, k, v) if self._spans.together else _attend(attn, q, k, v)
        return _out(attn, attended)

    # Which rows look at each other changes on air, and must not compile anything anew.
    @torch.compiler.disable  # type: ignore[untyped-decorator]  # torch publishes no type of it
    def _by_spans(self, attn: Any, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        _, tokens, dim = q.shape
        parts = []
        for start, end, together in self._spans.current:
            shape = (1, (end - start) * tokens, dim) if together else (end - start, tokens, dim)
            part = _attend(attn, *(t[start:end].reshape(shape) for t in (q, k, v)))
            parts.append(part.reshape(end - start, tokens, dim))
        return torch.cat(parts)


class PromptAttention:
    """Cross-attention from keys and values that `PromptCache` worked out before the call."""

    def __init__(self, layer: Layer) -> None:
        self._layer = layer

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,  # [rows, tokens, dim]
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
    ) -> Tensor:
        """Attend; the names are diffusers' protocol."""
        del encoder_hidden_states, attention_mask, temb
        assert self._layer.current is not None, "PromptCache.select comes before the U-Net"
        k, v = self._layer.current
        q = _heads(attn, attn.to_q(hidden_states))
        return _out(attn, F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


@dataclass
class Spans:
    """Which rows of this call look at each other; shared by all self-attention layers."""

    current: Sequence[Span] = ()
    together: bool = False
    """Whether any do."""

    def select(self, spans: Sequence[Span]) -> None:
        """Make the next call's rows look at each other so."""
        self.current = spans
        self.together = any(together for _, _, together in spans)


class PromptCache:
    """Keys and values of the prompts in use, for all cross-attention layers: worked out once a prompt.

    Besides those in use, the `keep` last ones stay: with SDXL each is some 25 MB.
    """

    def __init__(self, layers: Sequence[Layer], adapt: Adapt, keep: int = 8) -> None:
        self._layers = layers
        self._adapt = adapt
        self._keep = keep
        self._rows: tuple[Told, ...] = ()

    def select(self, rows: Sequence[Told]) -> None:
        """Make the next call's rows use these prompts."""
        chosen = tuple(rows)
        if chosen == self._rows:
            return
        for told in dict.fromkeys(chosen):
            self._renew(told)
        for layer in self._layers:
            pairs = [layer.kept[told] for told in chosen]
            # Copied for every row, though most share a prompt: a compiled U-Net starts anew when a shape changes.
            layer.current = torch.cat([k for k, _ in pairs]), torch.cat([v for _, v in pairs])
            resting = list(layer.kept)[: len(layer.kept) - len(set(chosen))]
            for told in resting[: max(0, len(resting) - self._keep)]:
                del layer.kept[told]
        self._rows = chosen

    def clear(self) -> None:
        """Forget everything."""
        self._rows = ()
        for layer in self._layers:
            layer.kept.clear()

    def _renew(self, told: Told) -> None:
        """Make `told` the last that was in use; work it out if need be."""
        embedding, weights = told
        if any(told not in layer.kept for layer in self._layers):
            self._adapt([weights])
        for layer in self._layers:
            pair = layer.kept.pop(told, None)
            layer.kept[told] = pair or self._work_out(layer.attention, embedding)

    @staticmethod
    def _work_out(attention: Any, embedding: Embedding) -> tuple[Tensor, Tensor]:
        tokens = embedding.tokens.unsqueeze(0)
        return _heads(attention, attention.to_k(tokens)), _heads(attention, attention.to_v(tokens))


@dataclass(frozen=True)
class Processors:
    """What a U-Net's attention layers are to be run by, and what they look at."""

    by_name: dict[str, Callable[..., Tensor]]
    spans: Spans
    cache: PromptCache | None


def make_processors(unet: Any, *, prompt_cache: bool, adapt: Adapt) -> Processors:
    """Make processors for every attention layer; raises Unavailable for attention of another kind."""
    from diffusers.models.attention_processor import AttnProcessor2_0

    spans = Spans()
    layers: list[Layer] = []
    processors: dict[str, Callable[..., Tensor]] = {}
    for name in unet.attn_processors:
        attention = unet.get_submodule(name.removesuffix(".processor"))
        refuse_other_kinds(name, attention)
        if not attention.is_cross_attention:
            processors[name] = FrameAttention(spans)
        elif prompt_cache:
            layers.append(Layer(attention))
            processors[name] = PromptAttention(layers[-1])
        else:
            processors[name] = AttnProcessor2_0()
    return Processors(processors, spans, PromptCache(layers, adapt) if prompt_cache else None)


def refuse_other_kinds(name: str, attention: Any) -> None:
    """Raise Unavailable for an attention layer that is not of Stable Diffusion's kind."""
    special = ("group_norm", "spatial_norm", "norm_q", "norm_k", "norm_cross", "added_kv_proj_dim")
    found = [part for part in special if getattr(attention, part, None)]  # absent in older diffusers
    if found or attention.residual_connection or attention.rescale_output_factor != 1.0:
        raise Unavailable(f"U-Net layer {name} has an attention that is not Stable Diffusion's: {', '.join(found)}")


def _heads(attn: Any, t: Tensor) -> Tensor:
    """Split the heads off.  # [rows, tokens, heads * d] -> [rows, heads, tokens, d]"""
    return t.view(*t.shape[:-1], attn.heads, -1).transpose(1, 2)


def _attend(attn: Any, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    q, k, v = (_heads(attn, t) for t in (q, k, v))
    return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)


def _out(attn: Any, t: Tensor) -> Tensor:
    projection, dropout = attn.to_out
    result: Tensor = dropout(projection(t))
    return result
