"""A change of `blend` alone is no new prompt."""

import pytest

from sdstream.controls import Controls
from sdstream.engine.acceleration import open_model
from sdstream.engine.denoising.noise import NoiseCache
from sdstream.engine.recipes import Recipes
from tests.engine.pixel_engine import settings

SEVERAL = ({"text": "oil"}, {"text": "ink"})


@pytest.mark.parametrize("prompt", ["oil", SEVERAL])
def test_a_change_of_blend_alone_neither_encodes_anew_nor_fades(tiny_model, monkeypatch, prompt):
    model = open_model(settings(tiny_model))
    recipes = Recipes(model.table, model.text, NoiseCache((4, 8, 8)))
    show = Controls(prompt=prompt, blend="linear", transition=10)
    recipes.at(0.0, show)
    monkeypatch.setattr("sdstream.engine.conditioning.tower.Tower.run", lambda *_: pytest.fail("encoded anew"))
    changed = show.model_copy(update={"blend": "slerp"})
    recipe, due = recipes.at(1.0, changed)
    assert due.fade is None
    assert recipe.condition.positive is model.text.encode(changed.prompt, "slerp")


def test_a_change_of_blend_during_a_fade_to_one_prompt_leaves_the_fade(tiny_model):
    model = open_model(settings(tiny_model))
    recipes = Recipes(model.table, model.text, NoiseCache((4, 8, 8)))
    recipes.at(0.0, Controls(prompt="oil", transition=10))
    recipes.at(1.0, Controls(prompt="ink", transition=10))
    _, due = recipes.at(6.0, Controls(prompt="ink", transition=10, blend="slerp"))
    assert due.fade == pytest.approx(0.5)


def test_a_new_prompt_still_fades(tiny_model):
    model = open_model(settings(tiny_model))
    recipes = Recipes(model.table, model.text, NoiseCache((4, 8, 8)))
    recipes.at(0.0, Controls(prompt="oil", transition=10))
    recipes.at(1.0, Controls(prompt="ink", transition=10))
    _, due = recipes.at(3.0, Controls(prompt="ink", transition=10))
    assert due.fade == pytest.approx(0.2)
