"""Stream Batch against the paper's equations: the output of call k + n - 1 is frame k, denoised alone."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from sdstream.engine.denoising.coefficients import Sampling
from sdstream.engine.denoising.guidance import RowGuidance
from sdstream.engine.denoising.schedule import Schedule
from sdstream.engine.denoising.stream_batch import Recipe, StreamBatch
from sdstream.errors import Bug
from tests.engine.denoising.reference import ToyUNet, denoise, flush, push, skip, table
from tests.engine.live_tensors import live_tensors

Batch = StreamBatch[tuple[float, float], object]
MODES = ("none", "full", "self_negative", "onetime_negative")
SHAPE = (3, 4, 4)
TABLES = {prediction: table(prediction) for prediction in ("epsilon", "v_prediction", "sample")}


def latents(count: int, frames: int = 1, seed: int = 0) -> Tensor:
    return torch.randn(count, frames, *SHAPE, generator=torch.Generator().manual_seed(seed))


def sampling(
    steps: tuple[int, ...],
    guidance: RowGuidance,
    *,
    renoise: bool = True,
    prediction: str = "epsilon",
    seed: int = 1,
) -> Sampling:
    noise = torch.randn(len(steps), *SHAPE, generator=torch.Generator().manual_seed(seed))
    return Sampling(Schedule.of(TABLES[prediction], steps), guidance, noise, renoise)


def make(
    stages: int, frames: int = 1, *, batching: bool = True
) -> tuple[StreamBatch[tuple[float, float], object], ToyUNet]:
    unet = ToyUNet()
    return StreamBatch(unet, torch.zeros(SHAPE), stages=stages, frames=frames, batching=batching), unet


def assert_same(output: Tensor | None, z: Tensor, recipe: Recipe[tuple[float, float]]) -> None:
    assert output is not None
    expected = torch.stack([denoise(frame, recipe.sampling, recipe.condition) for frame in z])
    scale = max(1.0, float(expected.abs().max()))
    assert float((output.double() - expected).abs().max()) <= 2e-4 * scale


def assert_each(outputs: list[Tensor | None], z: Tensor, recipes: list[Recipe[tuple[float, float]] | None]) -> None:
    """Hold each output against its frame of `z`, denoised alone; a gap (no recipe) has no output."""
    for output, frame, recipe in zip(outputs, z, recipes, strict=True):
        if recipe is None:
            assert output is None
        else:
            assert_same(output, frame, recipe)


def push_all(batch: Batch, z: Tensor, recipe: Recipe[tuple[float, float]]) -> list[Tensor | None]:
    """Push the frames of `z` one after the other, and return what came out of each call."""
    return [push(batch, frame, recipe) for frame in z]


def same_bits(a: Tensor | None, b: Tensor | None) -> bool:
    """Tell whether two outputs are equal, or both are absent."""
    return a is b is None or (a is not None and b is not None and torch.equal(a, b))


prompts = st.tuples(st.floats(-1, 1), st.floats(-1, 1))


@st.composite
def shows(draw):
    """A show of frames (or gaps, None), each with its own recipe; all step lists are of one length."""
    stages = draw(st.integers(1, 6))
    prediction = draw(st.sampled_from(sorted(TABLES)))
    recipes = []
    for seed in range(draw(st.integers(1, 3))):
        guidance = RowGuidance(draw(st.sampled_from(MODES)), draw(st.floats(0.5, 3)), draw(st.floats(0, 1.5)))
        renoise = draw(st.booleans())
        steps = tuple(sorted(draw(st.lists(st.integers(0, 49), min_size=stages, max_size=stages, unique=True))))
        chosen = sampling(steps, guidance, renoise=renoise, prediction=prediction, seed=seed)
        recipes.append(Recipe(chosen, draw(prompts)))
    return draw(st.lists(st.none() | st.sampled_from(recipes), min_size=1, max_size=12)), stages


@given(shows(), st.integers(1, 3))
def test_every_frame_comes_out_as_if_it_were_denoised_alone_with_the_recipe_it_entered_with(show, frames):
    recipes, stages = show
    batch, _ = make(stages, frames)
    z = latents(len(recipes), frames)
    outputs = [skip(batch) if recipe is None else push(batch, z[k], recipe) for k, recipe in enumerate(recipes)]
    outputs += [skip(batch) for _ in range(stages - 1)]
    assert outputs[: stages - 1] == [None] * (stages - 1)
    assert_each(outputs[stages - 1 :], z, recipes)


@given(shows(), st.integers(1, 3))
def test_sequential_denoising_gives_the_same_pictures_at_once(show, frames):
    recipes, stages = show
    batch, _ = make(stages, frames, batching=False)
    z = latents(len(recipes), frames)
    outputs = [None if recipe is None else push(batch, z[k], recipe) for k, recipe in enumerate(recipes)]
    assert_each(outputs, z, recipes)
    assert flush(batch) == []


@pytest.mark.parametrize("prediction", sorted(TABLES))
@pytest.mark.parametrize("renoise", [True, False])
@pytest.mark.parametrize("frames", [1, 2])
@pytest.mark.parametrize("steps", [(25,), (18, 32), (0, 16, 32, 45)])
@pytest.mark.parametrize("mode", MODES)
def test_batched_equals_sequential_in_every_mode(mode, steps, frames, renoise, prediction):
    recipe = Recipe(sampling(steps, RowGuidance(mode, 1.7, 0.6), renoise=renoise, prediction=prediction), (0.3, -0.4))
    batched, alone = make(len(steps), frames)[0], make(len(steps), frames, batching=False)[0]
    z = latents(6, frames)
    together = [output for output in push_all(batched, z, recipe) if output is not None] + flush(batched)
    torch.testing.assert_close(together, push_all(alone, z, recipe), atol=2e-4, rtol=2e-4)


@pytest.mark.parametrize("mode", MODES)
def test_the_boundary_condition_weighs_every_term_also_far_from_one(mode):
    chosen = sampling((18, 32, 45), RowGuidance(mode, 1.7, 0.6))
    schedule = replace(chosen.schedule, c_out=(0.9, 0.7, 0.5), c_skip=(0.1, 0.3, 0.5))
    recipe = Recipe(replace(chosen, schedule=schedule), (0.3, -0.4))
    batch, _ = make(3)
    z = latents(5)
    assert_each(push_all(batch, z, recipe)[2:], z[:3], [recipe] * 3)


@pytest.mark.parametrize("scale", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("mode", MODES)
def test_guidance_of_one_or_less_is_none_bit_for_bit_and_never_fails(mode, scale):
    plain, guided = make(3)[0], make(3)[0]
    steps = (18, 32, 45)
    a = push_all(plain, latents(5), Recipe(sampling(steps, RowGuidance("none", 7.0, 0.2)), (0.3, 0.1)))
    b = push_all(guided, latents(5), Recipe(sampling(steps, RowGuidance(mode, scale, 0.5)), (0.3, 0.1)))
    assert all(map(same_bits, a, b))
    assert a[2:] != [None] * 3


@pytest.mark.parametrize(("mode", "rows"), [("none", 4), ("full", 8), ("self_negative", 4), ("onetime_negative", 5)])
def test_a_full_batch_costs_n_2n_n_and_n_plus_one_unet_rows(mode, rows):
    batch, unet = make(4)
    recipe = Recipe(sampling((10, 20, 30, 40), RowGuidance(mode, 1.5, 0.5)), (0.1, 0.2))
    push_all(batch, latents(6), recipe)
    assert unet.calls[3:] == [rows] * 3


@pytest.mark.parametrize("batching", [True, False])
@pytest.mark.parametrize("steps", [(25,), (18, 32)])
@pytest.mark.parametrize("mode", MODES)
def test_the_same_frame_gives_the_same_picture_for_ever(mode, steps, batching):
    batch, _ = make(len(steps), batching=batching)
    recipe = Recipe(sampling(steps, RowGuidance(mode, 1.4, 0.5)), (0.3, -0.4))
    z = latents(1)[0]
    outputs = [output for _ in range(12) if (output := push(batch, z, recipe)) is not None]
    assert len(outputs) >= 11
    assert all(torch.equal(output, outputs[0]) for output in outputs)


def test_flush_gives_the_last_frames_in_order_and_leaves_nothing():
    batch, unet = make(4)
    recipe = Recipe(sampling((10, 20, 30, 40), RowGuidance("self_negative", 1.5, 0.5)), (0.1, 0.2))
    z = latents(5)
    push_all(batch, z, recipe)
    rest = flush(batch)
    assert len(rest) == 3
    assert_same(rest[0], z[2], recipe)
    assert_same(rest[2], z[4], recipe)
    assert unet.calls[-3:] == [3, 2, 1]
    assert flush(batch) == []


def test_a_reset_starts_clean():
    batch, unet = make(3)
    recipe = Recipe(sampling((10, 20, 30), RowGuidance("onetime_negative", 1.5, 0.5)), (0.1, 0.2))
    z = latents(6)
    push(batch, z[0], recipe)
    push(batch, z[1], recipe)
    batch.reset()
    assert [push(batch, z[2], recipe), push(batch, z[3], recipe)] == [None, None]
    assert_same(push(batch, z[4], recipe), z[2], recipe)
    assert unet.calls[2:] == [2, 3, 4]


def test_gaps_cost_no_rows():
    batch, unet = make(3)
    recipe = Recipe(sampling((10, 20, 30), RowGuidance("none")), (0.1, 0.2))
    z = latents(2)
    push(batch, z[0], recipe)
    skip(batch)
    assert_same(push(batch, z[1], recipe), z[0], recipe)
    assert skip(batch) is None
    assert_same(skip(batch), z[1], recipe)
    assert skip(batch) is None
    assert unet.calls == [1, 1, 2, 1, 1]


def test_outputs_are_the_callers_to_keep():
    batch, _ = make(2)
    recipe = Recipe(sampling((10, 20), RowGuidance("self_negative", 1.5, 0.5)), (0.1, 0.2))
    z = latents(4)
    push(batch, z[0], recipe)
    first = push(batch, z[1], recipe)
    assert first is not None
    before = first.clone()
    push(batch, z[2], recipe)
    first_latent = z[3].clone()
    push(batch, z[3], recipe)
    flush(batch)
    assert torch.equal(first, before)
    assert torch.equal(z[3], first_latent)


def test_steps_that_do_not_fit_the_stages_are_a_bug():
    batch, _ = make(2)
    with pytest.raises(Bug, match="3 steps"):
        push(batch, latents(1)[0], Recipe(sampling((1, 2, 3), RowGuidance()), (0, 0)))


def test_frames_that_differ_in_their_seed_alone_keep_their_own_noise():
    batch, _ = make(3)
    recipes = [Recipe(sampling((10, 20, 30), RowGuidance("none"), seed=seed), (0.1, 0.2)) for seed in (1, 2)]
    z = latents(6)
    outputs = [push(batch, z[k], recipes[k % 2]) for k in range(6)]
    assert_each(outputs[2:], z[:4], recipes * 2)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_overflowed_ends_with_its_frames(mode, wrong):
    calls = []

    def together(x: Tensor, timesteps: Tensor, rows: list[object]) -> Tensor:
        """Mixes all rows, as cross-frame attention does, and overflows once."""
        calls.append(1)
        return torch.full_like(x, wrong) if len(calls) == 5 else torch.tanh(x + x.mean(0))

    batch = StreamBatch(together, torch.zeros(SHAPE), stages=3)
    recipe = Recipe(sampling((10, 20, 30), RowGuidance(mode, 1.5, 0.5)), (0.1, 0.2), together=True)
    outputs = [push(batch, z, recipe) for z in latents(12)]
    assert all(bool(torch.isfinite(output).all()) for output in outputs[2:])
    assert all(float(output.abs().max()) > 0 for output in outputs[7:])


def test_a_fade_that_goes_on_for_hours_keeps_no_more_than_a_short_one():
    batch, _ = make(3)
    kept = []
    for k in range(240):
        push(batch, latents(1)[0], Recipe(sampling((18, 32, 45), RowGuidance("full", 1.5 + k / 1000)), (0.3, 0.1)))
        if k % 80 == 47:
            kept.append(live_tensors())
    assert max(kept[1:]) - kept[0] < 40, kept


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("batching", [True, False])
def test_a_slider_that_moves_with_every_frame_writes_its_numbers_into_the_same_memory(mode, batching):
    batch, _ = make(3, batching=batching)
    z = latents(12)
    recipes = [
        Recipe(sampling((18, 32, 45), RowGuidance(mode, 1.5 + k / 50, 0.6), seed=1 + k % 3), (0.3, 0.1))
        for k in range(12)
    ]
    outputs, places = [], set()
    for frame, recipe in zip(z, recipes, strict=True):
        outputs.append(push(batch, frame, recipe))
        use = batch.coefficients._last._use
        places.add((len(use.timesteps), use.x_weight.data_ptr(), use.next_noise.data_ptr(), use.timesteps.data_ptr()))
    delay = 2 if batching else 0
    assert_each(outputs[delay:], z[: 12 - delay], recipes[: 12 - delay])
    assert len(places) == (3 if batching else 1)  # the sequential form ends each push with the last stage
    assert len(batch.coefficients) == 3
