"""A word keeps its weight in both text encoders of SDXL, whatever each tokenizer makes of the word."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from sdstream.engine.acceleration import open_model
from tests.engine.pixel_engine import settings


@pytest.fixture(scope="module")
def padded_by_signs(tiny_xl_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an SDXL model with the padding token of the real one, "!", in the second tokenizer."""
    folder = Path(shutil.copytree(tiny_xl_model, tmp_path_factory.mktemp("xl") / "model"))
    CLIPTokenizer.from_pretrained(folder / "tokenizer_2", pad_token="!").save_pretrained(folder / "tokenizer_2")
    first = CLIPTokenizer.from_pretrained(folder / "tokenizer")
    merged = {**first.get_vocab(), "!!</w>": len(first)}
    config = json.loads((folder / "text_encoder" / "config.json").read_text())
    CLIPTokenizer(vocab=merged, merges=[("!", "!</w>")], model_max_length=77).save_pretrained(folder / "tokenizer")

    torch.manual_seed(5)
    larger = CLIPTextConfig(**config | {"vocab_size": len(merged)})
    CLIPTextModel(larger).save_pretrained(folder / "text_encoder")
    return folder


@torch.inference_mode()
def weighed(model: Path, suffix: str, parts: list[tuple[str, float]]) -> Tensor:
    """Return an encoder's tokens by ComfyUI's rule, written out token by token.  # [77, dim]"""
    kind = CLIPTextModelWithProjection if suffix else CLIPTextModel
    encoder = kind.from_pretrained(model / f"text_encoder{suffix}").eval()
    tokenizer = CLIPTokenizer.from_pretrained(model / f"tokenizer{suffix}")

    def run(ids: list[int]) -> Tensor:
        full = [tokenizer.bos_token_id, *ids, tokenizer.eos_token_id]
        full += [tokenizer.pad_token_id] * (77 - len(full))
        return encoder(torch.tensor([full]), output_hidden_states=True).hidden_states[-2][0]

    pairs = [(i, w) for text, w in parts for i in tokenizer(text, add_special_tokens=False).input_ids][:75]
    z, empty = run([i for i, _ in pairs]), run([])
    for place, (_, weight) in enumerate(pairs, start=1):
        z[place] = (z[place] - empty[place]) * weight + empty[place]
    return z


LONG = "a" * 70
CASES = [
    ("a (cat:1.4) b", [("a ", 1.0), ("cat", 1.4), (" b", 1.0)]),
    ("wow!! (cat:1.4)", [("wow!! ", 1.0), ("cat", 1.4)]),
    ("(!!:1.5) cat (dog:0.5)", [("!!", 1.5), (" cat ", 1.0), ("dog", 0.5)]),
    ("(wow!:1.3)", [("wow!", 1.3)]),
    ("(!:2)", [("!", 2.0)]),
    (f"{LONG} !! (abcdefgh:1.4)", [(f"{LONG} !! ", 1.0), ("abcdefgh", 1.4)]),
    (f"{LONG}(abcdefgh:0.6)", [(LONG, 1.0), ("abcdefgh", 0.6)]),
]


@pytest.mark.parametrize(("prompt", "parts"), CASES)
def test_a_word_keeps_its_weight_in_both_encoders(padded_by_signs, prompt, parts):
    found = open_model(settings(padded_by_signs)).text.encode(prompt).tokens[:77]
    expected = torch.cat([weighed(padded_by_signs, suffix, parts) for suffix in ("", "_2")], dim=-1)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_the_tokenizers_of_the_test_disagree_as_those_of_sdxl_do(padded_by_signs):
    counts = [
        len(CLIPTokenizer.from_pretrained(padded_by_signs / name)("!!", add_special_tokens=False).input_ids)
        for name in ("tokenizer", "tokenizer_2")
    ]
    assert counts == [1, 2]
