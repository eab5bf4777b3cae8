"""Prompts become the embeddings that the model was trained with, in bounded time."""

import json
import shutil
import time
from pathlib import Path

import pytest
import torch

from sdstream.engine.acceleration import open_model
from sdstream.engine.conditioning.text_encoder import TextEncoder
from sdstream.errors import Unavailable
from tests.engine.pixel_engine import settings


@pytest.fixture(scope="module")
def text(tiny_model: Path) -> TextEncoder:
    return open_model(settings(tiny_model)).text


@pytest.fixture(scope="module")
def cutting(tiny_model: Path) -> TextEncoder:
    return open_model(settings(tiny_model, long_prompts="cut")).text


@pytest.mark.parametrize("empty", ["", "  "])
def test_no_negative_prompt_is_zeros_where_the_model_was_trained_so(tiny_xl_model, tmp_path, empty):
    folder = Path(shutil.copytree(tiny_xl_model, tmp_path / "xl"))
    index = folder / "model_index.json"
    plain = open_model(settings(folder)).text
    index.write_text(json.dumps(json.loads(index.read_text()) | {"force_zeros_for_empty_prompt": True}))
    zeroed = open_model(settings(folder)).text
    assert plain.encode_negative(empty).tokens.abs().max() > 0
    negative = zeroed.encode_negative(empty)
    assert negative.tokens.abs().max() == negative.pooled.abs().max() == 0
    assert negative.tokens.shape == zeroed.encode("oil").tokens.shape
    assert negative is zeroed.encode_negative(empty)
    assert zeroed.encode("").tokens.abs().max() > 0
    assert torch.equal(zeroed.encode_negative("day").tokens, plain.encode_negative("day").tokens)


@pytest.mark.parametrize(("kind", "most"), [("text", 8), ("cutting", 1)])
@pytest.mark.parametrize(
    "prompt", ["(a)b" * 2_500, "(" * 5_000 + ")" * 5_000, "a" * 10_000, "(a:1e9)" * 1_400, "ש(" * 5_000]
)
def test_the_longest_prompt_is_encoded_before_anybody_notices(request, kind, most, prompt):
    text = request.getfixturevalue(kind)
    text.encode("")
    started = time.process_time()
    tokens = text.encode(prompt).tokens
    assert time.process_time() - started < 3  # steps as many as its square would take ten seconds
    assert tokens.shape in ((77, 32), (77 * most, 32))
    assert bool(torch.isfinite(tokens).all())


def test_only_what_the_encoder_reads_of_a_prompt_matters(cutting):
    text = cutting
    kept = "a" * 75
    assert torch.equal(text.encode(f"{kept}bcd").tokens, text.encode(f"{kept}xyz").tokens)
    assert not torch.equal(text.encode("abc").tokens, text.encode("xyz").tokens)


def test_a_tokenizer_with_words_that_the_encoder_does_not_know_is_refused(tiny_model, tmp_path):
    from transformers import CLIPTokenizer

    folder = Path(shutil.copytree(tiny_model, tmp_path / "model"))
    tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer")
    tokenizer.add_tokens(["<my-style>"])
    tokenizer.save_pretrained(folder / "tokenizer")
    with pytest.raises(Unavailable, match="different models"):
        open_model(settings(folder))
