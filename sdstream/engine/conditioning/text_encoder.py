"""Encodes prompts, with one text encoder (Stable Diffusion) or two (SDXL)."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from sdstream.config.engine import EmbeddingSettings
from sdstream.controls import Blend, Prompt
from sdstream.engine.bounded_cache import BoundedCache
from sdstream.engine.conditioning.condition import Embedding
from sdstream.engine.conditioning.prompt_weights import parse_weights
from sdstream.engine.conditioning.textual_inversion import add_word, read_vectors
from sdstream.engine.conditioning.tokenizer import load_tokenizer
from sdstream.engine.denoising import blend as blending
from sdstream.engine.shared_module import copy_structure
from sdstream.engine.weights.component import component
from sdstream.errors import Unavailable
from sdstream.log import get_logger

log = get_logger()


@dataclass(frozen=True, eq=False)
class Tower:
    """A text encoder with tokenizer. Raises Unavailable if the tokenizer has words unknown to the encoder."""

    tokenizer: Any  # diffusers and transformers publish no types
    encoder: Any
    penultimate: bool
    """Whether to read the layer before the last, unnormalised, as SDXL does."""
    skip: int = 0
    """Layers to leave out at the end (clip skip)."""
    words: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    """The tokenizer's number of a new word -> the encoder's numbers of the word's tokens."""

    def __post_init__(self) -> None:
        known = int(self.encoder.config.vocab_size)
        words = 1 + max(len(self.tokenizer) - 1, *self.tokenizer.get_vocab().values())
        if words > known:  # a word beyond the encoder's vocabulary would end the run on air
            raise Unavailable(
                f"the tokenizer has {words} words and the text encoder has {known}: tokenizer and text encoder are "
                "from different models; pull or copy the model again"
            )


class TextEncoder:
    """Encodes prompts, and caches the latest embeddings: equal prompts give the same Embedding."""

    def __init__(self, towers: Sequence[Tower], *, zero_negative: bool = False, cache_size: int = 64) -> None:
        """`zero_negative`: zeros stand for "no negative prompt", not an encoded empty prompt, as in SDXL's training."""
        self._towers = towers
        self._zero_negative = zero_negative
        self._cache_size = cache_size
        self.cache: BoundedCache[tuple[Prompt, Blend], Embedding] = BoundedCache(cache_size)
        """The prompts encoded so far. Clear the cache when an encoder's weights change."""
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

    def with_words(self, embeddings: Mapping[str, EmbeddingSettings]) -> Self:
        """Teach the text encoders new words, in place; return an encoder that reads the words. Raises Unavailable."""
        widths = [int(tower.encoder.config.hidden_size) for tower in self._towers]
        words: list[dict[int, tuple[int, ...]]] = [{} for _ in self._towers]
        for word, settings in embeddings.items():
            for tower, known, vectors in zip(self._towers, words, read_vectors(word, settings, widths), strict=True):
                number, tokens = add_word(tower.tokenizer, tower.encoder, word, vectors)
                known[number] = tokens
        return self._with([replace(tower, words=known) for tower, known in zip(self._towers, words, strict=True)])

    def _with(self, towers: Sequence[Tower]) -> Self:
        other = copy.copy(self)
        other._towers = towers
        other.cache = BoundedCache(self._cache_size)
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
        return sum(int(tower.encoder.config.hidden_size) for tower in self._towers)

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

    def _encode(self, prompt: Prompt, blend: Blend) -> Embedding:
        if not isinstance(prompt, str):
            return mix([(self.encode(part.text), part.weight) for part in prompt if part.weight > 0], blend)
        ids = [_ids(tower, parse_weights(prompt)) for tower in self._towers]
        encoded = [_run(tower, [i for i, _ in weighted]) for tower, weighted in zip(self._towers, ids, strict=True)]
        tokens = torch.cat([tokens for tokens, _ in encoded], dim=-1)
        # A word may have another number of tokens in the second encoder: SDXL's second tokenizer pads with "!".
        weights = [[weight for _, weight in weighted] for weighted in ids]
        if any(weight != 1.0 for tower in weights for weight in tower):
            tokens = self._weigh(tokens, weights)
        return Embedding(tokens, encoded[-1][1])

    def _weigh(self, tokens: Tensor, weights: list[list[float]]) -> Tensor:
        """Move each token away from the empty prompt's token, or towards; `tokens` and the result [tokens, dim].

        `weights` has a weight for each token of each tower. The rule is ComfyUI's, and compel's from weight 1 up. The
        mean is not restored as in AUTOMATIC1111: SDXL's mean is near 0, and restoring would blow up or turn the sign.
        """
        empty = self.encode("").tokens
        widths = [int(tower.encoder.config.hidden_size) for tower in self._towers]
        columns = torch.tensor(weights, dtype=torch.float32).repeat_interleave(torch.tensor(widths), dim=0).T
        return (empty + columns.to(tokens.device) * (tokens.float() - empty)).to(tokens.dtype)  # [tokens, dim]


def mix(parts: Sequence[tuple[Embedding, float]], blend: Blend) -> Embedding:
    """Blend encoded prompts by weights."""
    if len(parts) == 1:
        return parts[0][0]
    average = blending.slerp if blend == "slerp" else blending.linear
    pooled = [(part.pooled, weight) for part, weight in parts if part.pooled is not None]
    tokens = average([(part.tokens, weight) for part, weight in parts])
    return Embedding(tokens, average(pooled) if pooled else None)


def _run(tower: Tower, ids: list[int]) -> tuple[Tensor, Tensor | None]:
    """Return a tower's tokens [tokens, dim] and pooled prompt [dim]; None for a tower without a pooled prompt."""
    all_layers = tower.penultimate or tower.skip > 0
    output = tower.encoder(torch.tensor([ids], device=tower.encoder.device), output_hidden_states=all_layers)
    if not tower.penultimate:
        if not tower.skip:
            return output.last_hidden_state[0], None
        body = getattr(tower.encoder, "text_model", tower.encoder)  # only some versions of transformers have the former
        return body.final_layer_norm(output.hidden_states[-(tower.skip + 1)])[0], None
    pooled: Tensor | None = getattr(output, "text_embeds", None)  # SDXL's first tower has no pooled prompt
    return output.hidden_states[-(tower.skip + 2)][0], None if pooled is None else pooled[0]


def _ids(tower: Tower, parts: list[tuple[str, float]]) -> list[tuple[int, float]]:
    """Return token ids with weights, as many as the encoder reads: begin, text, end, padding."""
    tokenizer = tower.tokenizer
    length = int(tower.encoder.config.max_position_embeddings)
    limit = length - 2  # tokens of text, between begin and end
    text: list[tuple[int, float]] = []
    for part, weight in parts:
        for token in tokenizer(part, add_special_tokens=False, verbose=False).input_ids:
            text += [(number, weight) for number in tower.words.get(token, (token,))]
        if len(text) > limit:  # thousands of parts may follow, each a call of the tokenizer
            log.warning("prompt cut", limit=limit)
            break
    ids = [(tokenizer.bos_token_id, 1.0), *text[:limit], (tokenizer.eos_token_id, 1.0)]
    return ids + [(tokenizer.pad_token_id, 1.0)] * (length - len(ids))
