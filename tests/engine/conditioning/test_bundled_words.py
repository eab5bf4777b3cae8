"""New words inside a LoRA file: the picture is that of the LoRA alone, the words are those of a textual inversion."""

import re
from pathlib import Path

import pytest
import torch
from torch import Tensor

from sdstream.engine.acceleration import open_model
from sdstream.engine.preflight.refusals import refusals
from sdstream.errors import Unavailable
from tests.engine.adapters.lora_files import DOWN, LAYER, UP, saved
from tests.engine.conditioning.diffusers_prompts import vectors
from tests.engine.pixel_engine import PixelEngine, settings

LORA = {f"unet.{LAYER}.lora_A.weight": DOWN, f"unet.{LAYER}.lora_B.weight": UP}
PROMPTS = ["a zork cat", "zork", "(zork:1.4) zork", "no word at all"]
XL = {"clip_l": vectors(2), "clip_g": vectors(2, seed=1)}


def bundled(state: dict[str, Tensor], word: str = "zork") -> dict[str, Tensor]:
    return {f"bundle_emb.{word}.{name}": value for name, value in state.items()}


def with_lora(folder: Path, model: Path, state: dict[str, Tensor], *, fuse: bool = False, **more: object):
    lora = {"path": saved(folder, {**LORA, **state}, "ink"), "fuse": fuse}
    return settings(model, loras={"ink": lora}, **more)


@pytest.mark.parametrize("name", ["emb_params", "clip_l", "string_to_param.*", "string_to_param", "*"])
@pytest.mark.parametrize("count", [1, 3])
def test_a_word_of_a_lora_is_the_word_of_a_textual_inversion(tiny_model, tmp_path, name, count):
    inside = open_model(with_lora(tmp_path, tiny_model, bundled({name: vectors(count)}))).text
    alone = saved(tmp_path, {"emb_params": vectors(count)}, "zork")
    beside = open_model(settings(tiny_model, embeddings={"zork": alone})).text
    for prompt in PROMPTS:
        assert torch.equal(inside.encode(prompt).tokens, beside.encode(prompt).tokens)
    assert not torch.equal(inside.encode("zork").tokens, open_model(settings(tiny_model)).text.encode("zork").tokens)


@pytest.mark.parametrize("word", ["zork", "<zork>", "my-style_v1.5"])
def test_the_words_of_sdxl_have_vectors_in_both_encoders(tiny_xl_model, tmp_path, word):
    inside = open_model(with_lora(tmp_path, tiny_xl_model, bundled(XL, word))).text
    beside = open_model(settings(tiny_xl_model, embeddings={word: saved(tmp_path, XL, "zork")})).text
    found, expected = (text.encode(f"a {word} cat") for text in (inside, beside))
    assert torch.equal(found.tokens, expected.tokens)
    assert torch.equal(found.pooled, expected.pooled)


def test_the_layers_change_as_without_the_word(tiny_model, tmp_path):
    word = bundled({"emb_params": vectors(2)})
    models = [open_model(with_lora(tmp_path, tiny_model, state, fuse=True)) for state in ({}, word)]
    assert torch.equal(*(model.unet.get_submodule(LAYER).weight for model in models))


def test_two_loras_bring_their_words(tiny_model, tmp_path):
    files = {
        name: saved(tmp_path, LORA | bundled({"emb_params": vectors(1, seed)}, word), name)
        for seed, (name, word) in enumerate([("ink", "zork"), ("oil", "blip")])
    }
    text = open_model(settings(tiny_model, loras=files)).text
    assert len({text.encode(prompt).tokens.sum().item() for prompt in ("zork", "blip", "cat")}) == 3


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (bundled({"emb_params": vectors(2, width=99)}), "the word 'zork' was made for a different base model"),
        (bundled(XL), "the word 'zork' is no embedding for this model: expected emb_params"),
        (bundled({"clip_l_out": vectors(1)}), r"has the tensor bundle_emb\.zork\.clip_l_out"),
        (bundled({"t5": vectors(1)}), r"has the tensor bundle_emb\.zork\.t5"),
        (bundled({"emb_params": vectors(1)}, "two words"), r"has the tensor bundle_emb\.two words"),
        ({"text_encoder.embeddings.lora_embedding_A": DOWN}, "has the tensor text_encoder.embeddings.lora_embedding_A"),
    ],
)
def test_a_word_that_cannot_be_applied_is_refused_before_air(tiny_model, tmp_path, state, said):
    chosen = with_lora(tmp_path, tiny_model, state)
    (found,) = refusals(chosen)
    assert found.path == ("engine", "loras", "ink")
    assert re.search(rf"LoRA 'ink': .*{said}", found.reason)
    with pytest.raises(Unavailable, match=rf"LoRA 'ink': .*{said}"), PixelEngine(chosen):
        pass


@pytest.mark.parametrize("state", [{"emb_params": vectors(1) * float("nan")}, {"emb_params": vectors(1).int()}])
def test_a_word_of_wrong_numbers_is_refused(tiny_model, tmp_path, state):
    with pytest.raises(Unavailable, match="LoRA 'ink'"):
        open_model(with_lora(tmp_path, tiny_model, bundled(state)))


def test_a_word_twice_is_refused(tiny_model, tmp_path):
    alone = saved(tmp_path, {"emb_params": vectors(1)}, "zork")
    with pytest.raises(Unavailable, match="the model has the word 'zork' already"):
        open_model(with_lora(tmp_path, tiny_model, bundled({"emb_params": vectors(1)}), embeddings={"zork": alone}))
