"""Anything may change with every frame: nothing is raised, and nothing leaks."""

import gc
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from sdstream.controls import Controls
from sdstream.engine import Outcome
from sdstream.engine.models import load
from tests.engine.adapters.lora_files import everywhere, saved
from tests.engine.playing import Clock, PixelEngine, picture, settings


@pytest.fixture
def styled(tiny_model: Path, clock: Clock, tmp_path: Path) -> Iterator[PixelEngine]:
    lora = saved(tmp_path, everywhere(load(settings(tiny_model)).unet, seed=0))
    with PixelEngine(settings(tiny_model, loras={"a": {"path": lora}}), clock) as opened:
        yield opened


def storm(dice: random.Random) -> Controls:
    """Any controls at all."""
    words = ["oil", "(ink:1.4)", "[night]", "ערב", "((((", "a:b", "🎨", ""]
    prompt = lambda: " ".join(dice.choices(words, k=dice.randint(0, 30)))  # noqa: E731 - three uses, one line
    several = tuple({"text": prompt(), "weight": dice.uniform(0.1, 2)} for _ in range(dice.randint(1, 3)))
    return Controls(
        prompt=dice.choice([prompt(), several]),
        negative_prompt=prompt(),
        blend=dice.choice(["linear", "slerp"]),
        seed=dice.choice([dice.randrange(1000), ({"seed": dice.randrange(9)}, {"seed": 20, "weight": 0.3})]),
        seed_blend=dice.choice(["linear", "slerp"]),
        steps=tuple(sorted(dice.sample(range(50), dice.randint(1, 4)))),
        renoise=dice.random() < 0.5,
        guidance={
            "mode": dice.choice(["none", "full", "self_negative", "onetime_negative"]),
            "scale": dice.uniform(0, 3),
            "delta": dice.uniform(0, 1.5),
        },
        cross_frame_attention=dice.random() < 0.5,
        transition=dice.choice([0.0, 0.0, 0.5]),
        loras={"a": dice.choice([0.0, dice.uniform(-1, 1)])},
        similarity={"mode": dice.choice(["stochastic", "threshold", "off"])},
    )


def live_tensors() -> int:
    gc.collect()
    return sum(issubclass(type(thing), torch.Tensor) for thing in gc.get_objects())


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_storm_of_a_thousand_changes_raises_nothing_and_leaks_nothing(styled, clock):
    dice = random.Random(0)
    counts = []
    for k in range(1000):
        clock.now += 0.03
        result = styled(picture(k % 7), storm(dice))
        assert result is None or result.shape == (64, 64, 3)
        if k % 200 == 199:
            counts.append(live_tensors())
    assert max(counts[1:]) <= counts[0] * 1.5


def test_a_short_storm_raises_nothing(styled, clock):
    dice = random.Random(1)
    outcomes = set()
    for k in range(60):
        clock.now += 0.03
        styled(picture(k % 3), storm(dice))
        outcomes.add(styled.outcome)
    assert Outcome.RENDERED in outcomes
