"""Textual inversions: new words for a model's text encoders, each with one or more vectors of tokens, from a file.

`Any` stands for transformers' tokenizers and encoders, which publish no types.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sdstream.config.engine import EmbeddingSettings, LoraSettings
from sdstream.engine.conditioning.inversion_names import bundled_words, vector_names
from sdstream.engine.weights.component import loading, refuse_not_finite
from sdstream.engine.weights.files import check_safetensors
from sdstream.engine.weights.single_file import locate_file
from sdstream.errors import Unavailable
from sdstream.log import get_logger


def read_words(
    embeddings: Mapping[str, EmbeddingSettings], loras: Mapping[str, LoraSettings], widths: Sequence[int]
) -> Iterator[tuple[str, list[Tensor]]]:
    """Read each new word, and the vectors for each text encoder with tokens of `widths` numbers.

    The shape of the vectors is [vectors, width]. The words of `embeddings` come first, then those inside the LoRAs.
    Raises Unavailable with file and reason.
    """
    for word, embedding in embeddings.items():
        file = locate_file(embedding.path, embedding.file, "embedding", f"engine.embeddings.{word}")
        where = f"embedding {word!r}: {file}"
        yield word, _vectors(file, where, vector_names(check_safetensors(file).shapes, where, widths))
    for name, lora in loras.items():
        file = locate_file(lora.path, lora.file, "LoRA", f"engine.loras.{name}")
        where = f"LoRA {name!r}: {file}"
        for word, names in bundled_words(check_safetensors(file).shapes, where, widths).items():
            get_logger().info("new word", word=word, lora=name)
            yield word, _vectors(file, where, names)


def _vectors(file: Path, where: str, names: Sequence[str]) -> list[Tensor]:
    """Read the vectors of a word by the tensors' names; raises Unavailable.  # [vectors, width] each"""
    from safetensors import safe_open

    with loading(where), safe_open(file, "pt") as opened:
        state = {name: opened.get_tensor(name) for name in names}
        refuse_not_finite(state)
    if integers := [name for name in names if not state[name].is_floating_point()]:
        dtype = state[integers[0]].dtype
        raise Unavailable(f"{where}: {integers[0]} has dtype {dtype}: expected a floating-point dtype")
    return [state[name].reshape(1, -1) if state[name].ndim == 1 else state[name] for name in names]


def add_word(tokenizer: Any, encoder: Any, word: str, vectors: Tensor) -> tuple[int, tuple[int, ...]]:
    """Teach a text encoder a word; return the tokenizer's number of the word and the encoder's token numbers.

    Raises Unavailable for a word that the tokenizer has already.
    """
    from tokenizers import AddedToken

    if not tokenizer.add_tokens([AddedToken(word, single_word=True, normalized=True)]):
        raise Unavailable(
            f"the model has the word {word!r} already: choose a different word in engine.embeddings, or leave out the "
            "LoRA with the word"
        )
    old: Tensor = encoder.get_input_embeddings().weight
    rows = torch.cat([old, vectors.to(old)])
    table = nn.Embedding(rows.shape[0], rows.shape[1], _weight=rows, _freeze=True)
    encoder.set_input_embeddings(table)
    encoder.config.vocab_size = max(len(rows), len(tokenizer))
    _find_end(encoder, tokenizer.eos_token_id)
    return tokenizer.convert_tokens_to_ids(word), tuple(range(len(old), len(rows)))


def _find_end(encoder: Any, end: int) -> None:
    """Make the pooled prompt come from the end token: older configs take the largest number for the end."""
    for module in encoder.modules():
        if hasattr(module, "eos_token_id"):  # of transformers' CLIP, whose class depends on the version
            module.eos_token_id = end
