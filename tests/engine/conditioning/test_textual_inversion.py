"""New words of textual inversions and clip skip: the embeddings of diffusers' own pipelines."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from torch import Tensor

from sdstream.engine.acceleration import open_model
from sdstream.engine.conditioning.condition import Embedding
from sdstream.errors import Unavailable
from tests.engine.conditioning.diffusers_prompts import encode, pipeline, saved, vectors
from tests.engine.pixel_engine import settings

PROMPTS = ["a zork cat", "zork", "ZORK, dark", "a zorkish cat", "no word at all"]


def ours(model: Path, prompt: str, **more: object) -> Embedding:
    return open_model(settings(model, **more)).text.encode(prompt)


def assert_alike(embedding: Embedding, theirs: list[Tensor]) -> None:
    own = [part for part in (embedding.tokens, embedding.pooled) if part is not None]
    torch.testing.assert_close(own, theirs, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("skip", [0, 1, 2])
def test_clip_skip_is_the_clip_skip_of_diffusers(tiny_model, skip):
    pipe = pipeline(tiny_model, xl=False)
    if not hasattr(pipe.text_encoder, "text_model"):  # transformers 5 has no such part, and diffusers 0.42 asks for it
        object.__setattr__(pipe.text_encoder, "text_model", pipe.text_encoder)
    assert_alike(ours(tiny_model, "a cat", clip_skip=skip), encode(pipe, "a cat", clip_skip=skip))


@pytest.mark.parametrize("skip", [0, 1])
def test_clip_skip_is_the_clip_skip_of_diffusers_in_both_encoders(tiny_xl_model, skip):
    theirs = encode(pipeline(tiny_xl_model, xl=True), "a cat", clip_skip=skip)
    assert_alike(ours(tiny_xl_model, "a cat", clip_skip=skip), theirs)


@pytest.mark.parametrize(("kind", "skip"), [("tiny_model", 3), ("tiny_xl_model", 2)])
def test_a_clip_skip_beyond_the_layers_is_refused(request, kind, skip):
    with pytest.raises(Unavailable, match=f"engine.clip_skip: {skip} is too much"):
        open_model(settings(request.getfixturevalue(kind), clip_skip=skip))


@pytest.mark.parametrize("prompt", PROMPTS)
@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("name", ["emb_params", "zork", "*", "string_to_param.*"])
def test_a_word_has_the_vectors_of_the_file_as_in_diffusers(tiny_model, tmp_path, name, count, prompt):
    pipe = pipeline(tiny_model, xl=False)
    if "zorkish" not in prompt:  # diffusers finds the word inside a longer word too
        pipe.load_textual_inversion({"zork": vectors(count)}, token="zork")
    found = ours(tiny_model, prompt, embeddings={"zork": saved(tmp_path, {name: vectors(count)})})
    assert_alike(found, encode(pipe, prompt.lower()))


def test_a_single_vector_may_be_flat(tiny_model, tmp_path):
    flat = ours(tiny_model, "zork", embeddings={"zork": saved(tmp_path, {"<zork>": vectors(1)[0]})})
    row = ours(tiny_model, "zork", embeddings={"zork": saved(tmp_path, {"emb_params": vectors(1)})})
    assert torch.equal(flat.tokens, row.tokens)
    assert not torch.equal(flat.tokens, ours(tiny_model, "zork").tokens)


@pytest.mark.parametrize("prompt", ["a zork cat", "zork"])
def test_a_word_of_sdxl_has_vectors_in_both_encoders(tiny_xl_model, tmp_path, prompt):
    first, second = vectors(2), vectors(2, seed=1)
    pipe = pipeline(tiny_xl_model, xl=True)
    for vector, suffix in ((first, ""), (second, "_2")):
        towers = {
            "tokenizer": getattr(pipe, f"tokenizer{suffix}"),
            "text_encoder": getattr(pipe, f"text_encoder{suffix}"),
        }
        pipe.load_textual_inversion({"zork": vector}, token="zork", **towers)
    file = saved(tmp_path, {"clip_l": first, "clip_g": second})
    assert_alike(ours(tiny_xl_model, prompt, embeddings={"zork": file}), encode(pipe, prompt))


def test_the_pooled_prompt_comes_from_the_end_token_with_the_config_of_sdxl_too(tiny_xl_model, tmp_path):
    """SDXL's config states end token 2, which means the largest number to transformers: a new word's is larger."""
    older = Path(shutil.copytree(tiny_xl_model, tmp_path / "older"))
    config = older / "text_encoder_2" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"eos_token_id": 2}))
    file = saved(tmp_path, {"clip_l": vectors(2), "clip_g": vectors(2)})
    found, expected = (ours(model, "zork", embeddings={"zork": file}).pooled for model in (older, tiny_xl_model))
    assert found is not None
    assert torch.equal(found, expected)


def test_two_words_and_a_weight_go_together(tiny_model, tmp_path):
    (tmp_path / "b").mkdir()
    files = {
        "zork": saved(tmp_path, {"emb_params": vectors(2)}),
        "blip": saved(tmp_path / "b", {"emb_params": vectors(1, 5)}),
    }
    both = ours(tiny_model, "zork blip", embeddings=files)
    assert not torch.allclose(both.tokens, ours(tiny_model, "blip zork", embeddings=files).tokens)
    assert not torch.allclose(both.tokens, ours(tiny_model, "(zork:1.4) blip", embeddings=files).tokens)


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({"emb_params": vectors(2, width=99)}, r"different base model: the vectors are \[2, 99\].*tokens of 32"),
        ({"clip_l": vectors(2), "clip_g": vectors(2)}, "expected emb_params"),
        ({"emb_params": vectors(1) * float("nan")}, "emb_params has NaN"),
        ({"a": vectors(1), "b": vectors(1)}, "is no embedding"),
        ({"unet.conv_in.lora_A.weight": vectors(1)}, "is no embedding"),
    ],
)
def test_a_file_that_is_no_embedding_for_the_model_is_refused(tiny_model, tmp_path, state, said):
    with pytest.raises(Unavailable, match=rf"embedding 'zork': .*zork\.safetensors.*{said}"):
        ours(tiny_model, "zork", embeddings={"zork": saved(tmp_path, state)})


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({"emb_params": vectors(1)}, "expected clip_l and clip_g"),
        ({"clip_l": vectors(1), "clip_g": vectors(2)}, "equal numbers"),
    ],
)
def test_a_file_for_sdxl_needs_equal_vectors_for_both_encoders(tiny_xl_model, tmp_path, state, said):
    with pytest.raises(Unavailable, match=said):
        ours(tiny_xl_model, "zork", embeddings={"zork": saved(tmp_path, state)})
