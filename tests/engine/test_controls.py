"""Controls: the defaults of the design, and what is refused."""

import math

import pytest
from pydantic import ValidationError

from sdstream.controls import Controls, WeightedPrompt


def test_the_defaults_are_the_designs():
    controls = Controls()
    assert (controls.prompt, controls.negative_prompt, controls.seed, controls.steps) == (
        "thick oil painting", "", 2, (32, 45),
    )  # fmt: skip
    assert controls.guidance.model_dump() == {
        "mode": "self_negative", "scale": 1.2, "delta": 0.5, "distilled": 8.5,
    }  # fmt: skip
    assert controls.similarity.model_dump() == {"mode": "stochastic", "threshold": 0.98, "max_skips": 10}


def test_controls_survive_json():
    controls = Controls(
        prompt=({"text": "oil", "weight": 2}, {"text": "ink"}),
        seed=({"seed": 1}, {"seed": 2, "weight": 0.5}),
        cues=({"at": 5, "prompt": "ink"},),
        loras={"style": 0.5},
    )
    assert Controls.model_validate_json(controls.model_dump_json()) == controls


@pytest.mark.parametrize(
    "change",
    [
        {"prompt": "x" * 10_001},
        {"prompt": "x" * 10_000_000},
        {"prompt": "(" * 10_000_000},
        {"negative_prompt": "x" * 10_001},
        {"cues": [{"at": 0, "prompt": "x" * 10_001}]},
        {"prompt": [{"text": "x\x00"}]},
        {"prompt": [{"text": "a", "weight": math.inf}]},
        {"guidance": {"scale": 1e9}},
        {"guidance": {"distilled": math.nan}},
        {"prompt": "x\x00y"},
        {"prompt": "x\x1b[31m"},
        {"prompt": "\ud800"},
        {"prompt": []},
        {"prompt": [{"text": "a", "weight": 0}]},
        {"prompt": [{"text": "a", "weight": math.nan}]},
        {"prompt": [{"text": "a", "weight": -1}]},
        {"prompt": [{"text": "a", "weight": 1e9}]},
        {"prompt": [{"text": "a"}] * 17},
        {"seed": -1},
        {"seed": 2**63},
        {"steps": []},
        {"steps": [45, 32]},
        {"steps": [3, 3]},
        {"steps": [50]},
        {"steps": [-1]},
        {"guidance": {"mode": "some"}},
        {"guidance": {"scale": math.inf}},
        {"guidance": {"delta": math.nan}},
        {"similarity": {"threshold": 1.0}},
        {"similarity": {"max_skips": -1}},
        {"transition": -1},
        {"loras": {"a": math.nan}},
        {"controlnets": {"a": -1}},
        {"cues": [{"at": 5, "prompt": "b"}, {"at": 1, "prompt": "a"}]},
        {"cues": [{"at": 5, "prompt": "b"}], "cues_loop": 4},
        {"promt": "typo"},
    ],
)
def test_controls_without_sense_are_refused(change):
    with pytest.raises(ValidationError):
        Controls.model_validate(change)


@pytest.mark.parametrize("text", ["", "שלום עולם", "\u202eabc", "🎨" * 100, "(" * 5_000 + ")" * 5_000, "a\nb"])
def test_odd_but_honest_prompts_are_taken(text):
    assert Controls(prompt=text).prompt == text


def test_controls_cannot_be_changed_in_place():
    with pytest.raises(ValidationError, match="frozen"):
        Controls().seed = 3
    with pytest.raises(ValidationError, match="frozen"):
        WeightedPrompt(text="a").weight = 3


@pytest.mark.parametrize(
    "model",
    [
        Controls,
        *(
            f.annotation
            for f in Controls.model_fields.values()
            if isinstance(f.annotation, type) and hasattr(f.annotation, "model_fields")
        ),
    ],
)
def test_every_field_is_documented(model):
    assert [name for name, field in model.model_fields.items() if not field.description] == []
