"""Encodes prompts, with one text encoder (Stable Diffusion) or two (SDXL)."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from sdstream.config.engine import EmbeddingSettings, LoraSettings
from sdstream.controls import Blend, Prompt
from sdstream.engine.bounded_cache import BoundedCache
from sdstream.engine.conditioning.condition import Embedding
from sdstream.engine.conditioning.stretches import MOST, is_long, padding, stretches
from sdstream.engine.conditioning.textual_inversion import add_word, read_words
from sdstream.engine.conditioning.tokenizer import load_tokenizer
from sdstream.engine.conditioning.tower import Tower, Weighted
from sdstream.engine.denoising import blend as blending
from sdstream.engine.shared_module import copy_structure
from sdstream.engine.weights.component import component
from sdstream.errors import Unavailable
from sdstream.log import get_logger

log = get_logger()


class TextEncoder:
    """Encodes prompts, and caches the latest embeddings: equal prompts give the same Embedding."""

    def __init__(self, towers: Sequence[Tower], *, zero_negative: bool = False, cache_size: int = 64) -> None:
        """`zero_negative`: zeros stand for "no negative prompt", not an encoded empty prompt, as in SDXL's training."""
        self._cut = False
        self._towers = towers
        self._zero_negative = zero_negative
        self._cache_size = cache_size
        self.cache: BoundedCache[tuple[Prompt, Blend], Embedding] = BoundedCache(cache_size)
        """The prompts encoded so far. Clear the cache when an encoder's weights change."""
        self._padded: BoundedCache[tuple[Embedding, int], Embedding] = BoundedCache(cache_size)
        self._zero: Embedding | None = None

    @classmethod
    def load(
        cls, folder: Path, device: torch.device, dtype: torch.dtype, *, pooled: bool, zero_negative: bool = False
    ) -> "TextEncoder":
        """Load the text encoders of a diffusers folder; raises Unavailable."""
        from transformers import CLIPTextModel, CLIPTextModelWithProjection

        towers = []
        for suffix, kind in (("", CLIPTextModel), ("_2", CLIPTextModelWithProjection)):
            part = folder / f"text_encoder{suffix}"
            if suffix and not pooled:
                break
            if pooled and not suffix and not part.is_dir():
                continue  # the SDXL refiner has the second text encoder only
            encoder = component(kind, part, "text encoder", dtype=dtype).to(device)
            towers.append(Tower(load_tokenizer(folder / f"tokenizer{suffix}"), encoder, penultimate=pooled))
        return cls(towers, zero_negative=zero_negative)

    def copy(self) -> Self:
        """Return an encoder with the same weights whose modules and cache are its own."""
        return self._with([replace(tower, encoder=copy_structure(tower.encoder)) for tower in self._towers])

    def skipping(self, layers: int) -> Self:
        """Return an encoder that leaves out the last `layers` layers; raises Unavailable for more than the layers."""
        for tower in self._towers:
            most = int(tower.encoder.config.num_hidden_layers) - tower.penultimate
            if layers > most:
                raise Unavailable(f"engine.clip_skip: {layers} is too much: a text encoder of this model allows {most}")
        return self._with([replace(tower, skip=layers) for tower in self._towers])

    def cutting(self, cut: bool) -> Self:
        """Return an encoder that reads the first 75 tokens of a prompt only, or every stretch."""
        other = self._with(self._towers)
        other._cut = cut
        return other

    def with_words(self, embeddings: Mapping[str, EmbeddingSettings], loras: Mapping[str, LoraSettings]) -> Self:
        """Teach the text encoders new words, in place; return an encoder that reads the words. Raises Unavailable."""
        widths = [int(tower.encoder.config.hidden_size) for tower in self._towers]
        words: list[dict[int, tuple[int, ...]]] = [{} for _ in self._towers]
        for word, vectors in read_words(embeddings, loras, widths):
            for tower, known, rows in zip(self._towers, words, vectors, strict=True):
                number, tokens = add_word(tower.tokenizer, tower.encoder, word, rows)
                known[number] = tokens
        return self._with([replace(tower, words=known) for tower, known in zip(self._towers, words, strict=True)])

    def _with(self, towers: Sequence[Tower]) -> Self:
        other = copy.copy(self)
        other._towers = towers
        other.cache, other._padded = BoundedCache(self._cache_size), BoundedCache(self._cache_size)
        other._zero = None
        return other

    @property
    def parts(self) -> dict[str, Any]:
        """The encoders by name in diffusers layout."""
        suffixes = ("_2",) if self._towers[0].penultimate and len(self._towers) == 1 else ("", "_2")
        return {f"text_encoder{suffix}": tower.encoder for suffix, tower in zip(suffixes, self._towers, strict=False)}

    @property
    def width(self) -> int:
        """Numbers in the embedding of a token."""
        return sum(tower.width for tower in self._towers)

    @property
    def stretch(self) -> int:
        """Tokens in the embedding of a stretch, with begin and end."""
        return self._towers[0].room + 2

    @torch.inference_mode()
    def encode(self, prompt: Prompt, blend: Blend = "linear") -> Embedding:
        """Encode a prompt, or blend several encoded prompts."""
        if isinstance(prompt, str):
            blend = "linear"  # a lone prompt has nothing to blend, and is the same Embedding for every blend
        return self.cache.get((prompt, blend), lambda: self._encode(prompt, blend))

    def encode_negative(self, prompt: str) -> Embedding:
        """Encode a negative prompt; an empty prompt gives zeros for a model with `zero_negative`."""
        if prompt.strip() or not self._zero_negative:
            return self.encode(prompt)
        if self._zero is None:
            like = self.encode("")
            pooled = None if like.pooled is None else torch.zeros_like(like.pooled)
            self._zero = Embedding(torch.zeros_like(like.tokens), pooled)
        return self._zero

    def is_long(self, prompt: str) -> bool:
        """Return whether the prompt's embedding has more than one stretch."""
        return not self._cut and any(is_long(tower, prompt) for tower in self._towers)

    def mix(self, parts: Sequence[tuple[Embedding, float]], blend: Blend) -> Embedding:
        """Blend encoded prompts by weights; shorter prompts are padded by stretches of the empty prompt."""
        if len(parts) == 1:
            return parts[0][0]
        average = blending.slerp if blend == "slerp" else blending.linear
        pooled = [(part.pooled, weight) for part, weight in parts if part.pooled is not None]
        level = self.level([part for part, _ in parts])
        tokens = average([(part.tokens, weight) for part, (_, weight) in zip(level, parts, strict=True)])
        return Embedding(tokens, average(pooled) if pooled else None)

    def level(self, embeddings: Sequence[Embedding]) -> list[Embedding]:
        """Return the embeddings as long as the longest, padded by stretches of the empty prompt; zeros by zeros."""
        length = max(len(embedding.tokens) for embedding in embeddings)
        return [self._pad(embedding, length) for embedding in embeddings]

    def _pad(self, embedding: Embedding, length: int) -> Embedding:
        if len(embedding.tokens) == length:
            return embedding
        return self._padded.get((embedding, length), lambda: self._longer(embedding, length))

    @torch.inference_mode()
    def _longer(self, embedding: Embedding, length: int) -> Embedding:
        empty = self.encode("").tokens  # [tokens of a stretch, dim]
        filler = torch.zeros_like(empty) if embedding is self._zero else empty
        missing = (length - len(embedding.tokens)) // len(empty)
        return replace(embedding, tokens=torch.cat([embedding.tokens, *[filler] * missing]))

    def _encode(self, prompt: Prompt, blend: Blend) -> Embedding:
        if not isinstance(prompt, str):
            return self.mix([(self.encode(part.text), part.weight) for part in prompt if part.weight > 0], blend)
        read = self._stretches(prompt)
        encoded = [
            tower.run([[token for token, _ in stretch] for stretch in found])
            for tower, found in zip(self._towers, read, strict=True)
        ]
        tokens = torch.cat([tokens for tokens, _ in encoded], dim=-1)  # [tokens, dim]
        # A word may have another number of tokens in the second encoder: SDXL's second tokenizer pads with "!".
        weights = [[weight for stretch in found for _, weight in stretch] for found in read]
        if any(weight != 1.0 for tower in weights for weight in tower):
            tokens = self._weigh(tokens, weights)
        return Embedding(tokens, encoded[-1][1])

    def _stretches(self, prompt: str) -> list[list[list[Weighted]]]:
        """Return the stretches of a prompt for each tower, as many for each."""
        found = [stretches(tower, prompt, cut=self._cut) for tower in self._towers]
        if any(cut for _, cut in found):
            most = 1 if self._cut else MOST
            log.warning("prompt cut", stretches=most, limit=most * self._towers[0].room)
        count = max(len(read) for read, _ in found)
        return [read + padding(tower, count - len(read)) for tower, (read, _) in zip(self._towers, found, strict=True)]

    def _weigh(self, tokens: Tensor, weights: list[list[float]]) -> Tensor:
        """Move each token away from the empty prompt's token, or towards; `tokens` and the result [tokens, dim].

        `weights` has a weight for each token of each tower. The rule is ComfyUI's, and compel's from weight 1 up. The
        mean is not restored as in AUTOMATIC1111: SDXL's mean is near 0, and restoring would blow up or turn the sign.
        """
        empty = self.encode("").tokens  # [tokens of a stretch, dim]
        empty = empty.repeat(len(tokens) // len(empty), 1)  # [tokens, dim]
        widths = torch.tensor([tower.width for tower in self._towers])
        columns = torch.tensor(weights, dtype=torch.float32).repeat_interleave(widths, dim=0).T  # [tokens, dim]
        return (empty + columns.to(tokens.device) * (tokens.float() - empty)).to(tokens.dtype)
