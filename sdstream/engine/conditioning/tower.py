"""A text encoder with tokenizer: from token numbers to embeddings.

`Any` stands for transformers' tokenizers and encoders, which publish no types.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from sdstream.errors import Unavailable

Weighted = tuple[int, float]
"""A token number of the encoder, with the token's weight."""


@dataclass(frozen=True, eq=False)
class Tower:
    """A text encoder with tokenizer. Raises Unavailable if the tokenizer has words unknown to the encoder."""

    tokenizer: Any
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

    @property
    def room(self) -> int:
        """Tokens of text in a stretch, between begin and end."""
        return int(self.encoder.config.max_position_embeddings) - 2

    @property
    def width(self) -> int:
        """Numbers in the embedding of a token."""
        return int(self.encoder.config.hidden_size)

    def run(self, ids: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor | None]:
        """Encode stretches of token numbers, each on its own.

        Return the tokens [stretches * tokens, dim], and the pooled prompt of the first stretch [dim]; None for a tower
        without a pooled prompt.
        """
        all_layers = self.penultimate or self.skip > 0
        output = self.encoder(torch.tensor(ids, device=self.encoder.device), output_hidden_states=all_layers)
        if not self.penultimate:
            if not self.skip:
                return output.last_hidden_state.flatten(0, 1), None
            # Only some versions of transformers have `text_model`.
            body = getattr(self.encoder, "text_model", self.encoder)
            return body.final_layer_norm(output.hidden_states[-(self.skip + 1)]).flatten(0, 1), None
        pooled: Tensor | None = getattr(output, "text_embeds", None)  # SDXL's first tower has no pooled prompt
        return output.hidden_states[-(self.skip + 2)].flatten(0, 1), None if pooled is None else pooled[0]
