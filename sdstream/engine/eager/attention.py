"""Attention of the U-Net: cached keys and values of the prompt (paper A.2), and cross-frame attention (paper 3.2).

Both need the attention layers of Stable Diffusion. A different kind of layer is refused, never left out silently.
`Any` stands for diffusers' modules: the attributes have no static types.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own documentation uses this name
from torch import Tensor

from sdstream.engine.conditioning.condition import Embedding
from sdstream.engine.eager.image_attention import ImageLayer, Pictures, split_heads
from sdstream.engine.models import refuse_other_kinds

Group = tuple[int, ...]
"""Indices of rows with cross-frame attention among each other; a row alone has its own attention."""

STRETCH = 77
"""Tokens in a stretch of a prompt."""

CacheKey = tuple[Embedding, tuple[float, ...]]
"""A prompt, and the LoRA weights in force when the keys and values were computed."""

Adapt = Callable[[Sequence[tuple[float, ...]]], None]
"""Sets the LoRA weights of each row of the next call of the U-Net's layers."""


@dataclass
class Layer:
    """A cross-attention layer with keys and values: of the current call, and of recent prompts."""

    attention: Any
    current: tuple[Tensor, Tensor] | None = None  # each [rows, heads, tokens, d]
    cached: dict[CacheKey, tuple[Tensor, Tensor]] = field(default_factory=dict)  # each [1, heads, tokens, d]


class FrameAttention:
    """Self-attention. The rows of a scene form a single long sequence: each row attends to all rows of the scene."""

    def __init__(self, scenes: "Scenes") -> None:
        self._scenes = scenes

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
        attended = self._by_scenes(attn, q, k, v) if self._scenes.together else _attend(attn, q, k, v)  # as q
        return _out(attn, attended)

    def _by_scenes(self, attn: Any, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        _, tokens, dim = q.shape
        # A row that overflowed keeps NaN to itself: as a key or a value, NaN would reach every row of the scene.
        k, v = (t.nan_to_num(0.0, 0.0, 0.0) for t in (k, v))  # [rows, tokens, dim] each
        result = torch.empty_like(q)  # [rows, tokens, dim]
        for rows, sequences in self._scenes.batches:
            shape = (sequences, -1, dim)
            part = _attend(attn, *(torch.cat([t[place] for place in rows]).reshape(shape) for t in (q, k, v)))
            lengths = [place.stop - place.start for place in rows]
            for place, attended in zip(rows, torch.split(part.reshape(-1, tokens, dim), lengths), strict=True):
                result[place] = attended  # [rows side by side, tokens, dim]
        return result


class PromptAttention:
    """Cross-attention with keys and values from `PromptCache`, computed before the call; then the pictures."""

    def __init__(self, layer: Layer, images: ImageLayer | None = None) -> None:
        self._layer = layer
        self._images = images

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
        k, v = self._layer.current  # [rows, heads, tokens, d] each
        q = split_heads(attn, attn.to_q(hidden_states))  # [rows, heads, tokens, d]
        attended = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)  # [rows, tokens, dim]
        return _out(attn, attended if self._images is None else self._images.add(q, attended))


class PictureAttention:
    """Cross-attention without a prompt cache, with the pictures of IP-Adapters."""

    def __init__(self, images: ImageLayer) -> None:
        self._images = images

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,  # [rows, tokens, dim]
        encoder_hidden_states: Tensor,  # [rows, tokens of the prompt, width]
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
    ) -> Tensor:
        """Attend; the names are diffusers' protocol."""
        del attention_mask, temb
        q, k, v = attn.to_q(hidden_states), attn.to_k(encoder_hidden_states), attn.to_v(encoder_hidden_states)
        return _out(attn, self._images.add(split_heads(attn, q), _attend(attn, q, k, v)))


@dataclass
class Scenes:
    """The rows of the current call by scene, shared by all self-attention layers."""

    batches: list[tuple[list[slice], int]] = field(default_factory=list)
    """Rows, and the number of sequences made of the rows: 1 for a scene; for rows alone, as many as rows."""
    together: bool = False
    """True if a scene has several rows."""

    def select(self, groups: Sequence[Group]) -> None:
        """Set the scenes of the next call; a row that is alone in its scene has its own attention."""
        scenes = [group for group in groups if len(group) > 1]
        alone = [row for group in groups if len(group) == 1 for row in group]
        self.together = bool(scenes)
        self.batches = [(_slices(scene), 1) for scene in scenes]
        if alone:
            self.batches.append((_slices(alone), len(alone)))


class PromptCache:
    """Keys and values of the prompts in use, for all cross-attention layers: computed once a prompt.

    The `keep` prompts in use last stay in the cache too; a prompt of several stretches counts as several. With SDXL a
    stretch takes about 25 MB.
    """

    def __init__(self, layers: Sequence[Layer], adapt: Adapt, keep: int = 8) -> None:
        self._layers = layers
        self._adapt = adapt
        self._keep = keep
        self._rows: tuple[CacheKey, ...] = ()

    def select(self, rows: Sequence[CacheKey]) -> None:
        """Set the prompt and LoRA weights of each row of the next call."""
        chosen = tuple(rows)
        if chosen == self._rows:
            return
        for key in dict.fromkeys(chosen):
            self._renew(key)
        for layer in self._layers:
            pairs = [layer.cached[key] for key in chosen]
            k, v = torch.cat([k for k, _ in pairs]), torch.cat([v for _, v in pairs])  # [rows, heads, tokens, d] each
            layer.current = k, v
            room = self._keep
            for key in reversed(list(layer.cached)[: len(layer.cached) - len(set(chosen))]):  # the unused prompts
                room -= math.ceil(len(key[0].tokens) / STRETCH)
                if room < 0:
                    del layer.cached[key]
        self._rows = chosen

    def clear(self) -> None:
        """Delete all keys and values."""
        self._rows = ()
        for layer in self._layers:
            layer.cached.clear()

    def _renew(self, key: CacheKey) -> None:
        """Make `key` the key used last, and compute missing keys and values."""
        embedding, weights = key
        if any(key not in layer.cached for layer in self._layers):
            self._adapt([weights])
        for layer in self._layers:
            pair = layer.cached.pop(key, None)
            layer.cached[key] = pair or self._compute(layer.attention, embedding)

    @staticmethod
    def _compute(attention: Any, embedding: Embedding) -> tuple[Tensor, Tensor]:
        tokens = embedding.tokens.unsqueeze(0)  # [1, tokens, dim]
        return split_heads(attention, attention.to_k(tokens)), split_heads(attention, attention.to_v(tokens))


@dataclass(frozen=True)
class Processors:
    """The processors of a U-Net's attention layers, and the state to set before each call."""

    by_name: dict[str, Callable[..., Tensor]]
    """By the name of the layer, as diffusers' `set_attn_processor` takes processors."""
    scenes: Scenes
    cache: PromptCache | None
    """None without a prompt cache."""


def make_processors(unet: Any, *, prompt_cache: bool, adapt: Adapt, pictures: Pictures | None = None) -> Processors:
    """Make processors for every attention layer; `pictures` are those of the IP-Adapters.

    Raises Unavailable for attention unlike Stable Diffusion's.
    """
    from diffusers.models.attention_processor import AttnProcessor2_0

    scenes = Scenes()
    layers: list[Layer] = []
    processors: dict[str, Callable[..., Tensor]] = {}
    for name in unet.attn_processors:
        attention = unet.get_submodule(name.removesuffix(".processor"))
        refuse_other_kinds(name, attention)
        images = None if pictures is None else pictures.layer(name, attention)
        if not attention.is_cross_attention:
            processors[name] = FrameAttention(scenes)
        elif prompt_cache:
            layers.append(Layer(attention))
            processors[name] = PromptAttention(layers[-1], images)
        else:
            processors[name] = AttnProcessor2_0() if images is None else PictureAttention(images)
    return Processors(processors, scenes, PromptCache(layers, adapt) if prompt_cache else None)


def _slices(rows: Sequence[int]) -> list[slice]:
    """Return rows as slices of rows side by side: a slice needs no index on the device."""
    cuts = [i for i in range(1, len(rows)) if rows[i] != rows[i - 1] + 1]
    return [slice(rows[start], rows[end - 1] + 1) for start, end in pairwise([0, *cuts, len(rows)])]


def _attend(attn: Any, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    q, k, v = (split_heads(attn, t) for t in (q, k, v))  # [rows, heads, tokens, d] each
    return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)


def _out(attn: Any, t: Tensor) -> Tensor:
    projection, dropout = attn.to_out
    result: Tensor = dropout(projection(t))
    return result
