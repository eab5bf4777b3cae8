"""Long prompts and BREAK: the embeddings of diffusers, stretch by stretch."""

from pathlib import Path

import pytest
import torch
from structlog.testing import capture_logs
from torch import Tensor

from sdstream.controls import WeightedPrompt
from sdstream.engine.acceleration import open_model
from sdstream.engine.conditioning.text_encoder import TextEncoder
from tests.engine.conditioning.diffusers_prompts import encode, pipeline, saved, vectors
from tests.engine.pixel_engine import settings


def stretched(model: Path, stretches: list[str], *, xl: bool) -> list[Tensor]:
    """Return the tokens of diffusers' pipeline for each stretch, in a row, and the pooled prompt of the first."""
    pipe = pipeline(model, xl=xl)
    found = [encode(pipe, text) for text in stretches]
    return [torch.cat([tokens for tokens, *_ in found]), *found[0][1:]]


def same(text: TextEncoder, prompt: str, expected: list[Tensor]) -> None:
    embedding = text.encode(prompt)
    own = [part for part in (embedding.tokens, embedding.pooled) if part is not None]
    torch.testing.assert_close(own, expected, atol=1e-5, rtol=0)


CASES = [
    ("a cat", ["a cat"]),
    ("a" * 75, ["a" * 75]),
    ("", [""]),
    ("a BREAK b", ["a", "b"]),
    ("BREAK a BREAK BREAK b BREAK", ["a", "b"]),
    ("BREAK", [""]),
    ("a\nBREAK\nb", ["a", "b"]),
    ("a break BREAKFAST aBREAK b", ["a break BREAKFAST aBREAK b"]),
    ("a, BREAK, b", ["a,", ", b"]),
    (f"{'ab ' * 37}c BREAK b", [f"{'ab ' * 37}c", "b"]),
]


def pieces(prompt: str) -> list[str]:
    """Return the words of a prompt in stretches of 75 letters, which are tokens; a word is never split here."""
    letters, found = 0, [""]
    for word in prompt.split():
        if letters + len(word) > 75:
            letters, found = 0, [*found, ""]
        found[-1] += f" {word}"
        letters += len(word)
    return found


EVEN = "abc def ghi jkl mno pqr stu vwx yza bcd efg hij klm " * 6
"""234 tokens; 75 tokens are 25 words."""


@pytest.mark.parametrize("kind", ["tiny_model", "tiny_xl_model"])
@pytest.mark.parametrize(("prompt", "stretches"), [*CASES, (EVEN, pieces(EVEN))])
def test_stretches_are_encoded_one_by_one_and_laid_in_a_row(request, kind, prompt, stretches):
    model = request.getfixturevalue(kind)
    same(open_model(settings(model)).text, prompt, stretched(model, stretches, xl=kind == "tiny_xl_model"))


def test_a_break_within_brackets_keeps_the_weights(tiny_model):
    text = open_model(settings(tiny_model)).text
    expected = torch.cat([text.encode(part).tokens for part in ("(a:1.4)", "(b:1.4)")])
    torch.testing.assert_close(text.encode("(a BREAK b:1.4)").tokens, expected, atol=1e-5, rtol=0)


def test_a_weighted_word_across_the_cut_keeps_its_weight_on_both_sides(tiny_model):
    text = open_model(settings(tiny_model)).text
    first = text.encode(f"{'abc ' * 24}(de f:1.5)").tokens
    whole = text.encode(f"{'abc ' * 24}(de f gh:1.5)").tokens
    torch.testing.assert_close(whole, torch.cat([first, text.encode("(gh:1.5)").tokens]), atol=1e-5, rtol=0)


def test_cut_reads_a_single_stretch_and_says_so(tiny_model):
    text = open_model(settings(tiny_model, long_prompts="cut")).text
    with capture_logs() as logs:
        assert torch.equal(text.encode(EVEN).tokens, text.encode(pieces(EVEN)[0]).tokens)
        text.encode(EVEN)
    assert [log["event"] for log in logs] == ["prompt cut"]
    assert torch.equal(text.encode("a BREAK b").tokens, text.encode("a b").tokens)


def test_a_prompt_beyond_eight_stretches_is_cut_and_said_once(tiny_model):
    text = open_model(settings(tiny_model)).text
    with capture_logs() as logs:
        assert text.encode("a" * 601).tokens.shape == (8 * 77, 32)
        assert text.encode("a" * 600).tokens.shape == (8 * 77, 32)
    assert [(log["event"], log["limit"]) for log in logs] == [("prompt cut", 600)]


def test_the_vectors_of_a_word_stay_together(tiny_model, tmp_path):
    text = open_model(settings(tiny_model, embeddings={"zork": saved(tmp_path, {"emb_params": vectors(3)})})).text
    fits, moves = text.encode(f"{'ab ' * 36}zork"), text.encode(f"{'ab ' * 36}c zork")
    assert len(fits.tokens) == 77
    expected = torch.cat([text.encode(f"{'ab ' * 36}c").tokens, text.encode("zork").tokens])
    torch.testing.assert_close(moves.tokens, expected, atol=1e-5, rtol=0)
    assert text.is_long(f"{'ab ' * 36}c zork")
    assert not text.is_long("zork")


def test_a_word_with_more_vectors_than_a_stretch_has_room_is_split(tiny_model, tmp_path):
    text = open_model(settings(tiny_model, embeddings={"zork": saved(tmp_path, {"emb_params": vectors(100)})})).text
    assert len(text.encode("zork").tokens) == 2 * 77


@pytest.mark.parametrize("skip", [0, 1])
def test_clip_skip_holds_for_every_stretch(tiny_xl_model, skip):
    pipe = pipeline(tiny_xl_model, xl=True)
    found = [encode(pipe, part, clip_skip=skip) for part in ("a cat", "a dog")]
    text = open_model(settings(tiny_xl_model, clip_skip=skip)).text
    same(text, "a cat BREAK a dog", [torch.cat([t for t, _ in found]), found[0][1]])


@pytest.mark.parametrize("blend", ["linear", "slerp"])
def test_a_blend_pads_the_shorter_prompt_with_the_empty_prompt(tiny_xl_model, blend):
    text = open_model(settings(tiny_xl_model)).text
    parts = (WeightedPrompt(text="a cat", weight=1e-9), WeightedPrompt(text="dog BREAK sea BREAK sun", weight=1.0))
    mixed, long = text.encode(parts, blend), text.encode("dog BREAK sea BREAK sun")
    torch.testing.assert_close(mixed.tokens, long.tokens, atol=1e-5, rtol=0)
    short = text.level([text.encode("a cat"), long])[0]
    expected = torch.cat([text.encode(part).tokens for part in ("a cat", "", "")])
    torch.testing.assert_close(short.tokens, expected, atol=1e-5, rtol=0)
    assert short is text.level([text.encode("a cat"), long])[0]


def test_zeros_are_padded_with_zeros(tiny_xl_model):
    text = open_model(settings(tiny_xl_model)).text
    text._zero_negative = True
    negative = text.level([text.encode_negative(""), text.encode("a BREAK b")])[0]
    assert negative.tokens.shape == (2 * 77, 64)
    assert not negative.tokens.any()


def test_whether_a_prompt_is_long_is_what_the_encoder_makes_of_it(tiny_model):
    text = open_model(settings(tiny_model)).text
    for prompt, _ in [*CASES, ("é" * 40, []), ("(a:1.3) " * 20, [])]:
        assert text.is_long(prompt) == (len(text.encode(prompt).tokens) > 77), prompt
