"""CLIP's tokenizer: a model's own or, for a checkpoint that brings none, any copy of CLIP's vocabulary.

`Any` stands for transformers' tokenizers, which publish no types.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sdstream.engine.weights.component import LoadErrors
from sdstream.engine.weights.files import TOKENIZER, locate
from sdstream.errors import Unavailable

VOCABULARY = "openai/clip-vit-large-patch14"
"""Hub id of the one vocabulary that all CLIP text encoders share."""

COPIES = (
    (VOCABULARY, ""),
    ("stable-diffusion-v1-5/stable-diffusion-v1-5", "tokenizer/"),
    ("stabilityai/sd-turbo", "tokenizer/"),
    ("stabilityai/sdxl-turbo", "tokenizer/"),
)
"""Where in the hub's cache it may lie already."""


def load_tokenizer(folder: Path) -> Any:
    """Load the tokenizer of a folder; raises Unavailable if it is not CLIP's."""
    from transformers import CLIPTokenizer

    if not folder.is_dir():
        raise Unavailable(f"tokenizer: {folder} is missing; pull or copy the model again")
    try:
        tokenizer = CLIPTokenizer.from_pretrained(folder, local_files_only=True, verbose=False)
    except LoadErrors as error:
        raise Unavailable(f"tokenizer: {folder} cannot be loaded: {error}") from error
    if None in (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id):
        raise Unavailable(f"tokenizer: {folder} has no begin, end and padding tokens; it is not CLIP's")
    return tokenizer


def find_tokenizer(folder: Path, name: str, *, zero_padded: bool) -> Any:
    """Load the tokenizer `name` of a single file's `folder`, or make it of a vocabulary; raises Unavailable.

    What is made pads as the encoder was trained: OpenCLIP with zeros (`zero_padded`), CLIP with its end token.
    """
    if (folder / name).is_dir():
        return load_tokenizer(folder / name)
    tokenizer = load_tokenizer(_vocabulary([folder / "tokenizer"]))
    tokenizer.pad_token = tokenizer.convert_ids_to_tokens(0) if zero_padded else tokenizer.eos_token
    return tokenizer


def _vocabulary(nearby: Sequence[Path]) -> Path:
    from huggingface_hub import try_to_load_from_cache

    for folder in nearby:
        if folder.is_dir():
            return folder
    for hub_id, prefix in COPIES:
        found = try_to_load_from_cache(hub_id, f"{prefix}tokenizer_config.json")
        if isinstance(found, str):
            return Path(found).parent
    try:
        return locate(VOCABULARY, "tokenizer", TOKENIZER)
    except Unavailable as error:
        raise Unavailable(
            f"{error}: a model in one file brings no tokenizer. Put a folder `tokenizer` with CLIP's vocabulary "
            "beside the file, or name a folder that has one as engine.configs"
        ) from error
