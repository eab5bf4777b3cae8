"""The bundled model, through the engine as it is."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from sdstream.config.engine import DiffusionSettings
from sdstream.config.model_names import BUNDLED
from sdstream.controls import Controls, Guidance, Similarity, WeightedPrompt
from tests.engine.pixel_engine import PixelEngine

MINI = BUNDLED / "mini"
LIMIT = 25 * 2**20

pytestmark = pytest.mark.skipif(not MINI.is_dir(), reason="the model is not in this checkout")


@pytest.fixture(scope="module")
def engine():
    """The model at 128x128: a step takes some hundredths of a second."""
    way = {"device": "cpu", "acceleration": "eager", "dtype": "float32"}
    chosen = DiffusionSettings.model_validate({"model": "mini", "width": 128, "height": 128, **way})
    with PixelEngine(chosen) as opened:
        yield opened


@pytest.fixture(scope="module")
def camera():
    """A picture with edges, a ramp and colours."""
    rows, columns = np.mgrid[0:128, 0:128].astype(np.float32)
    disc = np.hypot(rows - 60, columns - 70) < 36
    picture = np.stack([columns * 2, rows * 2, np.full_like(rows, 90)], axis=-1)
    picture[disc] = (225, 170, 140)
    return picture.astype(np.uint8)


def paint(engine, picture, prompt, steps=(25,), **more):
    told = {"prompt": prompt, "steps": steps, "guidance": Guidance(mode="none"), "similarity": Similarity(mode="off")}
    controls = Controls.model_validate(told | more)
    engine.reset()
    first = engine(picture, controls)
    rest = engine.flush()
    return (rest[-1] if rest else first).astype(np.float32)


def apart(one, other):
    return float(np.abs(one.astype(np.float32) - other).mean())


def test_fits_the_wheel():
    assert sum(file.stat().st_size for file in MINI.rglob("*") if file.is_file()) <= LIMIT


def test_is_safetensors_only():
    kinds = {file.suffix for file in MINI.rglob("*") if file.is_file() and file.name != "SHA256SUMS"}
    assert kinds <= {".json", ".md", ".safetensors", ".txt"}


def test_brings_its_papers():
    assert {"README.md", "CREDITS.md", "NOTICE.md", "looks.json"} <= {file.name for file in MINI.iterdir()}


def test_knows_at_least_twenty_looks():
    assert len(json.loads((MINI / "looks.json").read_text())["looks"]) >= 20


def test_credits_name_a_licence_in_every_row():
    rows = [line for line in (MINI / "CREDITS.md").read_text().splitlines() if re.match(r"\| [A-Z]?\w", line)][1:]
    assert rows
    assert all(row.split("|")[3].strip() for row in rows)


@pytest.mark.parametrize("look", ["starry", "oil", "sepia", "gameboy"])
def test_an_empty_prompt_stays_nearer_to_the_camera_than_a_look(engine, camera, look):
    assert apart(paint(engine, camera, "", (32,)), camera) < 0.7 * apart(paint(engine, camera, look, (32,)), camera)


@pytest.mark.parametrize("look", ["starry", "neon", "blueprint", "engraving"])
def test_a_look_changes_the_picture(engine, camera, look):
    assert apart(paint(engine, camera, look), camera) > 25


def test_a_lower_first_step_strays_further(engine, camera):
    distances = [apart(paint(engine, camera, "starry", (step,)), camera) for step in (48, 40, 32, 20)]
    assert distances == sorted(distances)


def test_a_synonym_gives_the_same_look(engine, camera):
    starry = paint(engine, camera, "starry")
    synonym = paint(engine, camera, "my cat, in the style of van gogh")
    assert apart(synonym, starry) < 0.5 * apart(paint(engine, camera, "noir"), starry)


def test_two_prompts_blend_between_their_looks(engine, camera):
    blue, green = paint(engine, camera, "blueprint"), paint(engine, camera, "gameboy")
    halves = (WeightedPrompt(text="blueprint"), WeightedPrompt(text="gameboy"))
    between = paint(engine, camera, halves)
    assert max(apart(between, blue), apart(between, green)) < apart(blue, green)


def test_a_word_without_weight_does_nothing(engine, camera):
    assert apart(paint(engine, camera, "(starry:0.0)"), paint(engine, camera, "")) < 1


def test_words_that_name_no_look_give_no_noise(engine, camera):
    painted = paint(engine, camera, "quarterly tax report of the submarine", (32,))
    rough = np.abs(np.diff(painted, axis=0)).mean()
    assert rough < 3 * np.abs(np.diff(camera.astype(np.float32), axis=0)).mean() + 4


def test_a_negative_look_pushes_away_from_it(engine, camera):
    sepia = paint(engine, camera, "sepia")
    plain = paint(engine, camera, "oil", guidance=Guidance(mode="full", scale=1.8))
    pushed = paint(engine, camera, "oil", guidance=Guidance(mode="full", scale=1.8), negative_prompt="sepia")
    assert apart(pushed, sepia) > apart(plain, sepia)


def test_the_same_seed_gives_the_same_picture(engine, camera):
    np.testing.assert_array_equal(paint(engine, camera, "oil", seed=5), paint(engine, camera, "oil", seed=5))


def test_colours_do_not_drift_when_a_picture_stands_still(engine, camera):
    controls = Controls.model_validate(
        {"prompt": "oil", "steps": (32, 45), "guidance": {"mode": "none"}, "similarity": {"mode": "off"}}
    )
    engine.reset()
    outputs = [engine(camera, controls) for _ in range(12)]
    np.testing.assert_array_equal(outputs[-1], outputs[2])


def test_every_file_of_the_model_is_below_the_package(tmp_path: Path):
    assert MINI.is_relative_to(Path(__file__).parents[2] / "sdstream")
