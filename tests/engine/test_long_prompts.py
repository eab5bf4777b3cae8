"""Prompts of several stretches on air: each frame keeps the prompt of its own length, and no picture waits."""

from importlib.util import find_spec

import pytest
import torch
from diffusers import UNet2DConditionModel

from sdstream.controls import Controls, Cue
from sdstream.engine.denoising.stream_batch import Row
from tests.engine.conditioning.diffusers_prompts import encode, pipeline
from tests.engine.openvino.engine_pair import pair, psnr, scene, wait_for
from tests.engine.pixel_engine import ALWAYS, PixelEngine, feed, settings

needs_openvino = pytest.mark.skipif(find_spec("openvino") is None, reason="openvino is not installed: [openvino]")

SHORT, LONG, LONGER = "a cat", "a dog BREAK the sea", "abcdefghij " * 20


def show(prompt: str, **more: object) -> Controls:
    return Controls.model_validate({"prompt": prompt, "steps": (8, 20, 32), **ALWAYS, **more})


SHOWS = [
    [show(prompt) for prompt in (SHORT, LONG, LONGER, SHORT)],
    [show(prompt, cross_frame_attention=True) for prompt in (SHORT, LONG, SHORT)],
    [show(SHORT, guidance="full", negative_prompt=text) for text in ("", LONG, LONGER)],
    [show(LONG, guidance="onetime_negative", negative_prompt=text) for text in ("", "bad", LONGER)],
]


@pytest.mark.parametrize("shows", [SHOWS[0], *SHOWS[2:]])  # sequential frames see no other frames
@pytest.mark.parametrize("cached", [True, False])
def test_a_change_of_length_leaves_the_frames_in_flight_alone(tiny_xl_model, shows, cached):
    made = settings(tiny_xl_model, acceleration="eager", prompt_cache=cached)
    frames = scene(4 * len(shows), 64)
    asked = [each for each in shows for _ in range(4)]
    with PixelEngine(made) as batched, PixelEngine(made.model_copy(update={"batching": False})) as single:
        pairs = list(zip(frames, asked, strict=True))
        fast = [batched(*turn) for turn in pairs] + batched.flush()
        slow = [single(*turn) for turn in pairs]
    assert min(psnr(a, b) for a, b in zip([a for a in fast if a is not None], slow, strict=True)) > 60


@pytest.mark.parametrize("backend", ["eager", pytest.param("openvino", marks=needs_openvino)])
@torch.inference_mode()
def test_the_latents_are_those_of_diffusers(tiny_model, backend):
    texts = [encode(pipeline(tiny_model, xl=False), part)[0] for part in ("a dog", "the sea", "")]
    unet = UNet2DConditionModel.from_pretrained(tiny_model / "unet").eval()
    with PixelEngine(settings(tiny_model, acceleration=backend)) as engine:
        feed(engine, scene(4, 64), show(LONG, negative_prompt="bad", guidance="full"))
        condition = engine.session._run.recipe.condition
        rows = [Row(condition, negative, None, None) for negative in (False, True)]
        x, times = torch.randn(2, *engine.session._shape), torch.tensor([500, 100])
        found = engine.session.unet(x, times, rows)
    bad = encode(pipeline(tiny_model, xl=False), "bad")[0]
    prompts = torch.stack([torch.cat(texts[:2]), torch.cat([bad, texts[2]])])
    torch.testing.assert_close(found, unet(x, times, prompts).sample, atol=2e-4, rtol=0)


@needs_openvino
@pytest.mark.parametrize("shows", SHOWS)
@pytest.mark.parametrize("kind", ["tiny_model", "tiny_xl_model"])
def test_openvino_and_eager_agree_on_prompts_of_every_length(request, kind, shows):
    engines = pair(model=str(request.getfixturevalue(kind)), width=64, height=64)
    frames = scene(4 * len(shows), 64)
    with PixelEngine(engines[0]) as exact, PixelEngine(engines[1]) as fast:
        for engine in (exact, fast):  # so that every graph is there
            for each in shows:
                feed(engine, frames[:4], each)
        wait_for(lambda: not fast.session.unet.unet.preparing)
        for engine in (exact, fast):
            engine.reset()
        turns = list(zip(frames, [each for each in shows for _ in range(4)], strict=True))
        both = [[engine(*turn) for turn in turns] + engine.flush() for engine in (exact, fast)]
    pictures = [(a, b) for a, b in zip(*both, strict=True) if a is not None]
    assert min(psnr(a, b) for a, b in pictures) > 50
    assert len({a.tobytes() for a, _ in pictures[3::4]}) == len(shows)


@needs_openvino
@pytest.mark.parametrize("together", [False, True])
def test_a_longer_prompt_on_air_holds_no_picture_and_comes_when_it_is_there(
    tiny_model, gate, tmp_path, monkeypatch, together
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))  # without graphs of an earlier test
    eager, fast = pair(model=str(tiny_model), width=64, height=64)
    frames = scene(20, 64)
    short, first, long = (show(text, cross_frame_attention=together) for text in (SHORT, "a dog", LONG))
    with PixelEngine(eager) as begun, PixelEngine(eager) as whole, PixelEngine(fast) as engine:
        for each in (begun, whole, engine):
            feed(each, frames[:6], short)
        for frame in frames[6:10]:
            shown, expected = engine(frame, long), begun(frame, first)
            whole(frame, long)
            assert psnr(shown, expected) > 50
            assert engine.last.preparing == "a long prompt"
        gate.set()
        wait_for(lambda: not engine.session.unet.unet.preparing)
        for frame in frames[10:]:
            shown, expected = engine(frame, long), whole(frame, long)
        assert psnr(shown, expected) > 50
        assert psnr(shown, begun(frames[-1], first)) < 50
        assert psnr(engine(frames[0], short), whole(frames[0], short)) > 50


@needs_openvino
def test_the_graph_of_a_long_cue_is_made_before_the_show(tiny_model, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with PixelEngine(settings(tiny_model, acceleration="openvino")) as engine:
        feed(engine, scene(4, 64), show(SHORT, cues=[Cue(at=3_000, prompt=LONG)]))
        assert engine.session.unet.unet._long_plain.sizes == (3,)
        assert engine.last.preparing == ""
    with PixelEngine(settings(tiny_model, acceleration="openvino")) as engine:
        feed(engine, scene(4, 64), show(SHORT))
        assert engine.session.unet.unet._long_plain.sizes == ()
