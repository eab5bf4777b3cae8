"""CLIP's tokenizer: the model's own or, for a checkpoint without tokenizer, any copy of CLIP's vocabulary.

`Any` stands for transformers' tokenizers, which publish no types.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sdstream.engine.weights.component import LoadErrors
from sdstream.engine.weights.files import TOKENIZER, locate, read_config
from sdstream.engine.weights.folder_safety import refuse_code, refuse_links, refuse_odd_tokenizer
from sdstream.errors import Unavailable

VOCABULARY = "openai/clip-vit-large-patch14"
"""Hub id of the vocabulary shared by all CLIP text encoders."""

COPIES = (
    (VOCABULARY, ""),
    ("stable-diffusion-v1-5/stable-diffusion-v1-5", "tokenizer/"),
    ("stabilityai/sd-turbo", "tokenizer/"),
    ("stabilityai/sdxl-turbo", "tokenizer/"),
)
"""Models with a copy of the vocabulary, looked for in the hub's cache: (hub id, prefix of the files)."""


def load_tokenizer(folder: Path) -> Any:
    """Load the tokenizer of a folder; raises Unavailable for a missing, broken or foreign tokenizer."""
    from transformers import CLIPTokenizer

    if not folder.is_dir():
        raise Unavailable(f"tokenizer: {folder} is missing; pull or copy the model again")
    _refuse_unsafe(folder)
    try:
        tokenizer = CLIPTokenizer.from_pretrained(folder, local_files_only=True, verbose=False)
    except LoadErrors as error:
        raise Unavailable(f"tokenizer: {folder} cannot be loaded: {error}; pull or copy the model again") from error
    if None in (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id):
        raise Unavailable(
            f"tokenizer: {folder} lacks a begin, end or padding token: expected CLIP's tokenizer; pull or copy the "
            "model again"
        )
    return tokenizer


def _refuse_unsafe(folder: Path) -> None:
    """Raise Unavailable for a tokenizer with code of its own, and for rules that take any prompt for ever."""
    for file in sorted(folder.iterdir()):
        if file.name not in TOKENIZER and file.suffix != ".json":
            continue
        if file.suffix != ".json":
            refuse_links(file, "tokenizer")
        elif file.name != "vocab.json":
            config = read_config(file, "tokenizer")
            refuse_code(config, f"tokenizer: {file}")
            refuse_odd_tokenizer(config, f"tokenizer: {file}")
        else:
            read_config(file, "tokenizer")


def find_tokenizer(folder: Path, name: str, *, zero_padded: bool) -> Any:
    """Load the tokenizer `name` from the `folder` of a single file, or make one from a copy of the vocabulary.

    The made tokenizer pads as in the encoder's training: with token 0 for OpenCLIP (`zero_padded`), with the end token
    for CLIP. Raises Unavailable.
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
            f"{error}: a model in a single file has no tokenizer. Put a folder `tokenizer` with CLIP's vocabulary "
            "beside the file, or name a folder with such a `tokenizer` as engine.configs"
        ) from error
