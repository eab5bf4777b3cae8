"""All controls change with every frame: no error is raised, and no tensor leaks."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from sdstream.engine import Outcome
from sdstream.engine.acceleration import open_model
from tests.engine.adapters.lora_files import everywhere, saved
from tests.engine.live_tensors import live_tensors
from tests.engine.pixel_engine import Clock, PixelEngine, picture, settings
from tests.engine.random_controls import random_controls


@pytest.fixture
def styled(tiny_model: Path, clock: Clock, tmp_path: Path) -> Iterator[PixelEngine]:
    lora = saved(tmp_path, everywhere(open_model(settings(tiny_model)).unet, seed=0))
    with PixelEngine(settings(tiny_model, loras={"a": {"path": lora}}), clock) as opened:
        yield opened


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_storm_of_a_thousand_changes_raises_nothing_and_leaks_nothing(styled, clock):
    dice = random.Random(0)
    counts = []
    for k in range(1000):
        clock.now += 0.03
        result = styled(picture(k % 7), random_controls(dice))
        assert result is None or result.shape == (64, 64, 3)
        if k % 200 == 199:
            counts.append(live_tensors())
    assert max(counts[1:]) <= counts[0] * 1.5


def test_a_short_storm_raises_nothing(styled, clock):
    dice = random.Random(1)
    outcomes = set()
    for k in range(60):
        clock.now += 0.03
        styled(picture(k % 3), random_controls(dice))
        outcomes.add(styled.outcome)
    assert Outcome.RENDERED in outcomes
