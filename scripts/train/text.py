"""Trains the text encoder: CLIP's architecture, small, with knowledge of the looks' words only.

The content of a prompt lies in the tokens of the words. The tokens for begin, end and padding are the same for every
prompt, so that word weights and blends of prompts work as on a large model.
"""

import gzip
import random
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from scripts.train.looks import FALLBACK, LOOKS, NAMES
from scripts.train.prompts import PHOTO, Writer
from scripts.train.run import Run

MERGES = 10_000
"""Number of merges, from the most frequent of CLIP's 48,894 merges."""

WIDTH = 128
LENGTH = 77
BEGIN, END = "<|startoftext|>", "<|endoftext|>"


def tokenizer() -> Any:  # transformers publishes no types
    """Return CLIP's tokenizer with a shorter list of merges."""
    from transformers import CLIPTokenizer
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    found = find_spec("open_clip")
    if found is None or found.origin is None:
        raise SystemExit("CLIP's list of merges is missing: pip install --no-deps open-clip-torch==3.3.0")
    with gzip.open(Path(found.origin).parent / "bpe_simple_vocab_16e6.txt.gz", "rt", encoding="utf-8") as file:
        merges = [tuple(line.split()) for line in file.read().split("\n")[1 : MERGES + 1]]
    letters = list(bytes_to_unicode().values())
    words = [*letters, *(letter + "</w>" for letter in letters), *("".join(pair) for pair in merges), BEGIN, END]
    vocabulary = {word: number for number, word in enumerate(words)}
    return CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=LENGTH)


class Reader(nn.Module):
    """The text encoder, and two parts for the training only: attention pooling, and a direction for each look."""

    def __init__(self, words: int) -> None:
        from transformers import CLIPTextConfig, CLIPTextModel

        super().__init__()
        config = CLIPTextConfig(
            vocab_size=words, hidden_size=WIDTH, intermediate_size=2 * WIDTH, projection_dim=WIDTH,
            num_hidden_layers=2, num_attention_heads=4, max_position_embeddings=LENGTH,
            bos_token_id=words - 2, eos_token_id=words - 1, pad_token_id=words - 1,
        )  # fmt: skip
        self.encoder = CLIPTextModel(config)
        self.quiet = nn.Parameter(torch.zeros(WIDTH))
        """The common embedding of begin, end and padding."""
        self.look = nn.MultiheadAttention(WIDTH, 4, batch_first=True)
        self.question = nn.Parameter(torch.randn(1, 1, WIDTH))
        generator = torch.Generator().manual_seed(0)
        places = functional.normalize(torch.randn(len(LOOKS) + 1, WIDTH, generator=generator), dim=-1)
        self.register_buffer("places", places)

    def forward(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """Return the embedding of each token [n, length, width], and the pooled embedding [n, width]."""
        hidden = self.encoder(ids).last_hidden_state
        seen, _ = self.look(self.question.expand(len(ids), -1, -1), hidden, hidden, need_weights=False)
        return hidden, functional.normalize(seen[:, 0], dim=-1)


def encode(tok: Any, prompts: list[str], length: int = LENGTH) -> Tensor:
    """Return token ids as the engine does: begin, text, end, padding.  # [n, length]"""
    rows = []
    for prompt in prompts:
        text = tok(prompt, add_special_tokens=False).input_ids[: length - 2]
        rows.append([tok.bos_token_id, *text] + [tok.eos_token_id] * (length - 1 - len(text)))
    return torch.tensor(rows)


def train(folder: Path, device: torch.device, *, seconds: float, limit: float, batch: int = 64) -> Reader:
    """Train for `seconds` in all, at most `limit` seconds in this call; return the averaged reader."""
    torch.manual_seed(2)
    tok = tokenizer()
    writer = Writer.of(list(tok.get_vocab()))
    run = Run(Reader(len(tok)).to(device), folder / "text.pt", seconds, rate=1.5e-3)
    rng = random.Random(run.step)  # noqa: S311 - not for secrets
    right = torch.zeros((), device=device)
    for step in run.steps(limit):
        # There are many words without a look, so prompts without a look get a fixed share.
        unnamed = NAMES.index(FALLBACK)
        looks = [unnamed if rng.random() < 0.15 else rng.randrange(len(LOOKS) + 1) for _ in range(batch)]
        # Padding up to LENGTH must be trained too, but costs three times as much: every eighth step is enough.
        ids = encode(tok, [writer.about(k, rng) for k in looks], LENGTH if step % 8 == 0 else 22).to(device)
        hidden, seen = run.module(ids)
        wanted = torch.tensor(looks, device=device)
        silent = (ids == tok.eos_token_id) | (ids == tok.bos_token_id)
        likeness = 12 * seen @ run.module.places.T
        right = 0.98 * right + 0.02 * (likeness.argmax(-1) == wanted).float().mean()
        run.descend({
            "look": functional.cross_entropy(likeness, wanted),
            "place": (1 - (seen * run.module.places[wanted]).sum(-1)).mean(),
            "silence": (hidden - run.module.quiet)[silent].square().mean(),
        })  # fmt: skip
    if right > 0:
        print(f"text: the look was found for {100 * float(right):.1f} % of the last prompts")
    return run.average.module.eval().requires_grad_(requires_grad=False)


@torch.inference_mode()
def bank(reader: Reader, variants: int, device: torch.device, seed: int = 3) -> Tensor:
    """Return encoded prompts by look; the last row is the empty prompt.  # [looks + 1, variants, length, width]"""
    tok = tokenizer()
    writer, rng = Writer.of(list(tok.get_vocab())), random.Random(seed)  # noqa: S311 - not for secrets
    rows = [encode(tok, [writer.about(k, rng) for _ in range(variants)]) for k in range(PHOTO + 1)]
    return torch.stack([reader(row.to(device))[0] for row in rows]).clone()
