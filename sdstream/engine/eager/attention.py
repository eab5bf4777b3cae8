"""Attention of the U-Net: the prompt's keys and values kept (paper A.2), and cross-frame attention (paper 3.2).

Both need attention layers of the usual Stable Diffusion kind; others are refused, never left out silently.
`Any` stands for diffusers' modules, whose attributes have no static types.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - the name that every torch reader knows
from torch import Tensor

from sdstream.engine.conditioning.condition import Embedding
from sdstream.engine.models import refuse_other_kinds

Span = tuple[int, int, bool]
"""Rows from, to (exclusive), and whether the rows attend to each other."""

CacheKey = tuple[Embedding, tuple[float, ...]]
"""A prompt, and the LoRA weights that its keys and values were computed with."""

Adapt = Callable[[Sequence[tuple[float, ...]]], None]
"""Sets the LoRA weights of each row of the next call of the U-Net's layers."""


@dataclass
class Layer:
    """The keys and values that one cross-attention layer uses in this call."""

    attention: Any
    current: tuple[Tensor, Tensor] | None = None  # each [rows, heads, tokens, d]
    kept: dict[CacheKey, tuple[Tensor, Tensor]] = field(default_factory=dict)  # each [1, heads, tokens, d]


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
        q, k, v = (project(hidden_states) for project in (attn.to_q, attn.to_k, attn.to_v))  # [rows, tokens, dim] each
        attended = self._by_spans(attn, q, k, v) if self._spans.together else _attend(attn, q, k, v)  # as q
        return _out(attn, attended)

    # Which rows attend to each other changes on air, and must not start torch.compile again.
    @torch.compiler.disable  # type: ignore[untyped-decorator]  # torch publishes no type of it
    def _by_spans(self, attn: Any, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        _, tokens, dim = q.shape
        parts = []
        for start, end, together in self._spans.current:
            shape = (1, (end - start) * tokens, dim) if together else (end - start, tokens, dim)
            part = _attend(attn, *(t[start:end].reshape(shape) for t in (q, k, v)))
            parts.append(part.reshape(end - start, tokens, dim))
        return torch.cat(parts)  # [rows, tokens, dim]


class PromptAttention:
    """Cross-attention from keys and values that `PromptCache` computed before the call."""

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
        q = _heads(attn, attn.to_q(hidden_states))  # [rows, heads, tokens, d]
        return _out(attn, F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


@dataclass
class Spans:
    """Which rows of this call attend to each other; shared by all self-attention layers."""

    current: Sequence[Span] = ()
    together: bool = False
    """Whether any rows do."""

    def select(self, spans: Sequence[Span]) -> None:
        """Make the next call's rows attend to each other so."""
        self.current = spans
        self.together = any(together for _, _, together in spans)


class PromptCache:
    """Keys and values of the prompts in use, for all cross-attention layers: computed once a prompt.

    The `keep` prompts that were in use last stay too: with SDXL each is some 25 MB.
    """

    def __init__(self, layers: Sequence[Layer], adapt: Adapt, keep: int = 8) -> None:
        self._layers = layers
        self._adapt = adapt
        self._keep = keep
        self._rows: tuple[CacheKey, ...] = ()

    def select(self, rows: Sequence[CacheKey]) -> None:
        """Make the next call's rows use these prompts."""
        chosen = tuple(rows)
        if chosen == self._rows:
            return
        for key in dict.fromkeys(chosen):
            self._renew(key)
        for layer in self._layers:
            pairs = [layer.kept[key] for key in chosen]
            # Copied for every row, though most share a prompt: torch.compile starts again when a shape changes.
            k, v = torch.cat([k for k, _ in pairs]), torch.cat([v for _, v in pairs])  # [rows, heads, tokens, d] each
            layer.current = k, v
            unused = list(layer.kept)[: len(layer.kept) - len(set(chosen))]
            for key in unused[: max(0, len(unused) - self._keep)]:
                del layer.kept[key]
        self._rows = chosen

    def clear(self) -> None:
        """Forget everything."""
        self._rows = ()
        for layer in self._layers:
            layer.kept.clear()

    def _renew(self, key: CacheKey) -> None:
        """Make `key` the key used last; compute its keys and values if there are none."""
        embedding, weights = key
        if any(key not in layer.kept for layer in self._layers):
            self._adapt([weights])
        for layer in self._layers:
            pair = layer.kept.pop(key, None)
            layer.kept[key] = pair or self._compute(layer.attention, embedding)

    @staticmethod
    def _compute(attention: Any, embedding: Embedding) -> tuple[Tensor, Tensor]:
        tokens = embedding.tokens.unsqueeze(0)  # [1, tokens, dim]
        return _heads(attention, attention.to_k(tokens)), _heads(attention, attention.to_v(tokens))


@dataclass(frozen=True)
class Processors:
    """What a U-Net's attention layers are to be run by, and the state that they read at each call."""

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


def _heads(attn: Any, t: Tensor) -> Tensor:
    """Split the heads off.  # [rows, tokens, heads * d] -> [rows, heads, tokens, d]"""
    return t.view(*t.shape[:-1], attn.heads, -1).transpose(1, 2)


def _attend(attn: Any, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    q, k, v = (_heads(attn, t) for t in (q, k, v))  # [rows, heads, tokens, d] each
    return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)


def _out(attn: Any, t: Tensor) -> Tensor:
    projection, dropout = attn.to_out
    result: Tensor = dropout(projection(t))
    return result
