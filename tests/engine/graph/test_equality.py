"""The frame over fixed buffers gives the pictures of the plain engine, while everything changes in flight."""

import random
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from sdstream.controls import Controls
from sdstream.engine.acceleration import open_model
from tests.engine.adapters.lora_files import everywhere, saved
from tests.engine.graph.pair import MODES, STEPS, Pair, difference, scene
from tests.engine.pixel_engine import ALWAYS, picture, settings
from tests.engine.random_controls import random_controls
from tests.engine.tiny_model import make_tiny_model, with_full_autoencoder


@pytest.fixture(scope="module")
def lora(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """Settings with an adjustable LoRA on layers of every kind."""
    unet = open_model(settings(tiny_model)).unet
    return {"loras": {"a": {"path": saved(tmp_path_factory.mktemp("lora"), everywhere(unet, 1))}}}


@pytest.fixture(scope="module")
def pair(tiny_model: Path, lora: dict[str, object]):
    with Pair(tiny_model, **lora) as both:
        yield both


def show(n: int, mode: str, **more: object) -> Controls:
    return Controls.model_validate(
        {"steps": STEPS[n], "guidance": {"mode": mode, "scale": 1.8, "delta": 0.7}, **ALWAYS, **more}
    )


@pytest.mark.parametrize("n", STEPS)
@pytest.mark.parametrize("mode", MODES)
def test_a_show_that_changes_in_flight_equals_the_plain_engine(pair, mode, n):
    other = MODES[MODES.index(mode) - 1]
    acts = [
        show(n, mode, prompt="one"),
        show(n, mode, prompt="two", negative_prompt="day"),
        show(n, mode, prompt="two", seed=7),
        show(n, mode, prompt="two", seed=7, loras={"a": 0.6}),
        show(n, other, prompt="two", loras={"a": 0.6}),
        show(n, mode, prompt="two", guidance={"mode": mode, "scale": 3.0, "delta": 0.2}, renoise=False),
        show(n, mode, steps=[step + 3 for step in STEPS[n]]),
    ]
    shown = [pair(picture(k), act) for k, act in enumerate(act for act in acts for _ in range(max(2, n)))]
    pair.flush()
    seen = [pixels for pixels in shown if pixels is not None]
    assert len(seen) >= len(acts) * max(2, n) - (n - 1)
    assert difference(seen[-1], seen[0]) > 3


def test_a_storm_of_controls_skips_and_steps_equals_the_plain_engine(pair):
    dice = random.Random(5)
    for k in range(42):
        if k % 3 == 0:
            controls = random_controls(dice)
        pair(scene(k // 2), controls)
    pair.flush()


def test_a_fade_of_seed_and_prompt_equals_the_plain_engine(pair):
    pair(scene(0), show(2, "none", prompt="a"))
    pictures = [pair(scene(0), show(2, "none", prompt="b", seed=8, transition=0.2)) for _ in range(10)]
    assert all(difference(a, b) > 0 for a, b in pairwise(pictures[1:6]))
    assert difference(pictures[-1], pictures[-2]) == 0


@pytest.mark.parametrize("mode", ["none", "full"])
def test_frames_that_see_each_other_equal_the_plain_engine_over_cuts_and_skips(pair, mode):
    pair.eager.reset()
    pair.graph.reset()
    controls = show(4, mode, cross_frame_attention=True, similarity={"mode": "threshold", "threshold": 0.99})
    still = scene(3)
    for frame in (*map(scene, range(6)), picture(1), picture(1), *map(scene, range(6, 12)), still, still, scene(1)):
        pair(frame, controls)
    assert any(shape.together for shape in pair.batches.steps[4].shapes)
    pair.flush()


def test_long_and_short_prompts_in_the_same_call_equal_the_plain_engine(pair):
    prompts = ["short", "word " * 100, "word " * 180, "word " * 100, "short"]
    for k, prompt in enumerate(prompts * 2):
        pair(picture(k), show(4, "full", prompt=prompt))


def test_a_reset_and_a_change_back_leave_nothing_of_the_past(pair):
    for n in (2, 4, 2, 1, 4):
        for k in range(n + 1):
            pair(picture(k), show(n, "self_negative"))
        pair.eager.reset()
        pair.graph.reset()
        assert pair(picture(0), show(n, "self_negative")) is None or n == 1


KINDS = {
    "v": {"prediction": "v_prediction"},
    "xl": {"xl": True},
    "lcm": {"time_cond_proj_dim": 16},
    "wide": {"attention_head_dim": (2, 4), "use_linear_projection": True, "resnet_time_scale_shift": "scale_shift"},
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_model_equals_the_plain_engine(tmp_path, kind):
    with Pair(make_tiny_model(tmp_path / kind, **KINDS[kind])) as both:
        for k in range(10):
            guidance = {"mode": MODES[k // 3], "scale": 1.5, "distilled": 1.0 + k}
            both(picture(k), show(2, "none", prompt=f"prompt {k // 2}", guidance=guidance))


@pytest.mark.parametrize(
    "more",
    [
        {"task": "txt2img"},
        {"sampler": "ddim", "eta": 0.4},
        {"sampler": "tcd"},
        {"sampler": "euler"},
        {"sampler": "euler_ancestral", "timestep_spacing": "linspace"},
        {"width": 128, "height": 64},
    ],
    ids=str,
)
def test_every_setting_of_the_engine_equals_the_plain_engine(tiny_model, more):
    with Pair(tiny_model, **more) as both:
        pictures = [both(picture(k), show(2, "onetime_negative", prompt=f"prompt {k // 3}")) for k in range(5)]
    assert pictures[-1] is not None
    assert pictures[-1].shape == (64, more.get("width", 64), 3)


def test_a_full_autoencoder_equals_the_plain_engine(tmp_path):
    with Pair(with_full_autoencoder(make_tiny_model(tmp_path / "full")), autoencoder="full") as both:
        for k in range(3):
            both(picture(k), show(1, "none"))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no NVIDIA GPU")
@pytest.mark.parametrize("n", STEPS)
def test_on_a_gpu_the_recorded_frame_equals_the_plain_engine(tiny_model, lora, n):
    with Pair(tiny_model, device="cuda", **lora) as both:
        for k in range(8 * (n + 1)):
            weight = 0.5 * (k // (4 * (n + 1)))
            both(picture(k), show(n, MODES[k // (2 * (n + 1))], prompt=f"{k // 3}", loras={"a": weight}))
