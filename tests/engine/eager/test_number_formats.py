"""Cross-frame attention in bfloat16 and float16, emulated by the processor: the pictures are those of float32."""

import numpy as np
import pytest
import torch
from diffusers.models.attention_processor import Attention

from sdstream.controls import Controls
from sdstream.engine.eager.attention import FrameAttention, Scenes
from tests.engine.openvino.engine_pair import scene, worst
from tests.engine.pixel_engine import ALWAYS, PixelEngine, settings

LEAST = {"bfloat16": 38.0, "float16": 53.0}
"""Decibels of the worst picture against float32."""
STEPS = (8, 20, 32)
NEVER, EVERY, NOW_AND_THEN = [False] * 8, [True] * 8, [True, False, True, True, False, False, True, False]


@pytest.fixture(scope="module", params=LEAST)
def engines(request, tiny_model):
    with (
        PixelEngine(settings(tiny_model)) as exact,
        PixelEngine(settings(tiny_model, dtype=request.param)) as rounded,
    ):
        yield request.param, [exact, rounded]


@pytest.fixture(scope="module")
def frames():
    return [np.ascontiguousarray(frame[:64, :64]) for frame in scene(8, 96)]


def shows(switch: list[bool], mode: str) -> list[Controls]:
    guided = {"guidance": {"mode": mode, "scale": 1.7}, "steps": STEPS, **ALWAYS}
    return [Controls.model_validate({"cross_frame_attention": on, **guided}) for on in switch]


@pytest.mark.parametrize("mode", ["none", "self_negative"])
@pytest.mark.parametrize("switch", [EVERY, NOW_AND_THEN], ids=["every frame", "now and then"])
def test_cross_frame_attention_is_as_exact_as_the_number_format(engines, frames, switch, mode):
    dtype, pair = engines
    together, apart = (worst(pair, frames, shows(each, mode)) for each in (switch, NEVER))
    assert together > LEAST[dtype]
    assert together > apart - 3


def test_the_effect_of_cross_frame_attention_is_the_same(engines, frames):
    dtype, pair = engines
    effects = []
    for engine in pair:
        last = []
        for switch in (NEVER, EVERY):
            engine.reset()
            last.append([engine(*turn) for turn in zip(frames, shows(switch, "none"), strict=True)][-1])
        effects.append((last[1].astype(float) - last[0]).ravel())
    assert np.corrcoef(effects)[0, 1] > (0.6 if dtype == "bfloat16" else 0.95)


@torch.no_grad()
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), 6e4])
def test_a_row_that_overflows_in_the_number_format_spoils_no_row_of_the_scene(dtype, wrong):
    torch.manual_seed(0)
    attention = Attention(query_dim=16, heads=2, dim_head=8).to(dtype).eval()
    x = torch.randn(3, 5, 16).to(dtype)
    x[1, 2] = wrong
    scenes = Scenes()
    scenes.select(((0, 1, 2),))
    result = FrameAttention(scenes)(attention, x)
    assert result.dtype == dtype
    assert torch.isfinite(result[[0, 2]]).all()
