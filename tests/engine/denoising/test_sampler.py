"""Each sampler against diffusers' own scheduler, from a partial start as image-to-image has, batched and alone."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import diffusers
import pytest
import torch
from diffusers.schedulers import scheduling_ddim, scheduling_euler_ancestral_discrete, scheduling_lcm, scheduling_tcd
from torch import Tensor

from sdstream.engine.denoising.coefficients import Sampling
from sdstream.engine.denoising.guidance import RowGuidance
from sdstream.engine.denoising.schedule import Schedule
from sdstream.engine.denoising.stream_batch import Recipe, StreamBatch
from sdstream.engine.scheduler import noise_table
from sdstream.engine.weights.scheduler_config import SamplingChoice
from sdstream.errors import Unavailable
from tests.engine.denoising.reference import ToyUNet, denoise, flush, push, toy

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation")  # of diffusers' Euler

SHAPE = (3, 4, 4)
BETAS = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
PROMPT = 0.3
EVEN = {1: (0.0,), 2: (0.0, 25.0), 4: (0.0, 12.5, 25.0, 37.5), 8: tuple(6.25 * i for i in range(8))}
WHOLE = {n: tuple(float(int(step)) for step in steps) for n, steps in EVEN.items()}
PREDICTIONS = ("epsilon", "v_prediction", "sample")


def sampling(config: dict[str, object], steps: tuple[float, ...], choice: SamplingChoice | None = None) -> Sampling:
    noise = torch.randn(len(steps), *SHAPE, generator=torch.Generator().manual_seed(7))
    return Sampling(Schedule.of(noise_table(config, choice=choice), steps), RowGuidance(), noise)


def latent() -> Tensor:
    return torch.randn(1, *SHAPE, generator=torch.Generator().manual_seed(3))


def ours(chosen: Sampling, z: Tensor, *, batching: bool) -> Tensor:
    batch: StreamBatch[tuple[float, float], object]
    batch = StreamBatch(ToyUNet(), torch.zeros(SHAPE), stages=len(chosen.schedule), batching=batching)
    outputs = [push(batch, z, Recipe(chosen, (PROMPT, -PROMPT))), *flush(batch)]
    return next(output for output in outputs if output is not None)


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch) -> Callable[[Tensor], None]:
    """Make diffusers' stochastic schedulers draw the given noises in turn."""

    def plan(noises: Tensor) -> None:
        drawn: Iterator[Tensor] = iter(noises)
        for module in (scheduling_lcm, scheduling_tcd, scheduling_euler_ancestral_discrete):
            monkeypatch.setattr(module, "randn_tensor", lambda *_, **__: next(drawn)[None])

    return plan


def theirs(scheduler: object, skipped: int, z: Tensor, noise: Tensor, **options: object) -> Tensor:
    """Denoise as diffusers' image-to-image pipelines do, from timestep number `skipped`."""
    times = scheduler.timesteps[skipped:]
    if not isinstance(scheduler, diffusers.DDIMScheduler):  # has no count of steps
        scheduler.set_begin_index(skipped)
    x = scheduler.add_noise(z, noise[:1], times[:1])
    for t in times:
        output = toy(scheduler.scale_model_input(x, t)[0], t.item(), PROMPT)[None]
        x = scheduler.step(output, t, x, return_dict=False, **options)[0]
    return x


def assert_equal(output: Tensor, expected: Tensor, bound: float = 2e-4) -> None:
    scale = max(1.0, float(expected.abs().max()))
    assert float((output - expected).abs().max()) <= bound * scale


BATCHED = pytest.mark.parametrize("batching", [True, False])
SKIPPED = pytest.mark.parametrize("skipped", [0, 1])
COUNTS = pytest.mark.parametrize("n", [1, 2, 4, 8])
PREDICTED = pytest.mark.parametrize("prediction", PREDICTIONS)


@BATCHED
@SKIPPED
@COUNTS
@PREDICTED
@pytest.mark.parametrize("name", ["EulerDiscreteScheduler", "DDIMScheduler"])
def test_a_sampler_without_noise_is_diffusers_own(name, prediction, n, skipped, batching):
    skipped = min(skipped, n - 1)
    config = BETAS | {"prediction_type": prediction, "timestep_spacing": "trailing", "clip_sample": False}
    chosen = sampling(config | {"_class_name": name}, EVEN[n][skipped:])
    scheduler = getattr(diffusers, name).from_config(config)
    scheduler.set_timesteps(n)
    assert chosen.schedule.timesteps == tuple(scheduler.timesteps[skipped:].tolist())
    z = latent()
    assert_equal(ours(chosen, z, batching=batching), theirs(scheduler, skipped, z, chosen.noise))


@BATCHED
@SKIPPED
@COUNTS
@PREDICTED
@pytest.mark.parametrize("eta", [0.0, 0.3, 0.7, 1.0])
def test_tcd_is_diffusers_own_at_every_eta(eta, prediction, n, skipped, batching, planned):
    skipped = min(skipped, n - 1)
    config = BETAS | {"prediction_type": prediction, "_class_name": "TCDScheduler"}
    chosen = sampling(config, WHOLE[n][skipped:], SamplingChoice(eta=eta))
    scheduler = diffusers.TCDScheduler.from_config(config)
    scheduler.set_timesteps(n)
    assert chosen.schedule.timesteps == tuple(scheduler.timesteps[skipped:].tolist())
    planned(chosen.noise[1:])
    z = latent()
    assert_equal(ours(chosen, z, batching=batching), theirs(scheduler, skipped, z, chosen.noise, eta=eta))


@BATCHED
@SKIPPED
@COUNTS
@PREDICTED
def test_lcm_is_diffusers_own(prediction, n, skipped, batching, planned):
    skipped = min(skipped, n - 1)
    config = BETAS | {"prediction_type": prediction, "_class_name": "LCMScheduler"}
    chosen = sampling(config, WHOLE[n][skipped:])
    scheduler = diffusers.LCMScheduler.from_config(config)
    scheduler.set_timesteps(n)
    planned(chosen.noise[1:])
    z = latent()
    assert_equal(ours(chosen, z, batching=batching), theirs(scheduler, skipped, z, chosen.noise))


@BATCHED
@SKIPPED
@COUNTS
@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])  # diffusers' class knows no third
def test_euler_ancestral_is_diffusers_own(prediction, n, skipped, batching, planned):
    skipped = min(skipped, n - 1)
    config = BETAS | {"prediction_type": prediction, "timestep_spacing": "trailing"}
    chosen = sampling(config | {"_class_name": "EulerAncestralDiscreteScheduler"}, EVEN[n][skipped:])
    scheduler = diffusers.EulerAncestralDiscreteScheduler.from_config(config)
    scheduler.set_timesteps(n)
    planned(torch.cat((chosen.noise[1:], chosen.noise[:1])))  # the last noise has weight 0
    z = latent()
    assert_equal(ours(chosen, z, batching=batching), theirs(scheduler, skipped, z, chosen.noise))


@BATCHED
@pytest.mark.parametrize("eta", [0.3, 1.0])
def test_ddim_with_eta_is_diffusers_own(eta, batching, monkeypatch):
    config = BETAS | {"timestep_spacing": "trailing", "clip_sample": False, "_class_name": "DDIMScheduler"}
    chosen = sampling(config, EVEN[4], SamplingChoice(eta=eta))
    scheduler = diffusers.DDIMScheduler.from_config(config)
    scheduler.set_timesteps(4)
    drawn = iter(torch.cat((chosen.noise[1:], chosen.noise[:1])))
    monkeypatch.setattr(scheduling_ddim, "randn_tensor", lambda *_, **__: next(drawn)[None])
    z = latent()
    assert_equal(ours(chosen, z, batching=batching), theirs(scheduler, 0, z, chosen.noise, eta=eta))


@COUNTS
@pytest.mark.parametrize("name", ["EulerDiscreteScheduler", "DDIMScheduler"])
@pytest.mark.parametrize(
    "fields",
    [
        {"timestep_spacing": "leading", "steps_offset": 0},
        {"timestep_spacing": "leading", "steps_offset": 1, "set_alpha_to_one": False},
        {"timestep_spacing": "linspace"},
        {"timestep_spacing": "trailing", "set_alpha_to_one": False},
        {"timestep_spacing": "trailing", "rescale_betas_zero_snr": True, "prediction_type": "v_prediction"},
        {"timestep_spacing": "trailing", "beta_schedule": "linear", "beta_end": 0.02},
        {"timestep_spacing": "trailing", "trained_betas": [0.001 + 0.00001 * i for i in range(1000)]},
    ],
    ids=lambda fields: "-".join(map(str, fields.values()))[:40],
)
def test_every_field_of_a_scheduler_counts_as_in_diffusers(name, fields, n):
    if name == "DDIMScheduler" and fields["timestep_spacing"] == "linspace" and n > 1:
        pytest.skip("diffusers' DDIM takes a step back of a rounded length, not to the next of its own timesteps")
    config = BETAS | {"clip_sample": False} | fields
    scheduler = getattr(diffusers, name).from_config(config)
    scheduler.set_timesteps(n)
    first, stride = noise_table({"_class_name": name, **config}, choice=chosen_by(name)).timesteps[:2]
    steps = tuple((first - t) / (first - stride) for t in scheduler.timesteps.tolist())
    chosen = sampling({"_class_name": name, **config}, steps, chosen_by(name))
    assert chosen.schedule.timesteps == pytest.approx(scheduler.timesteps.tolist(), abs=1e-3)
    z = latent()
    # Euler with zero terminal SNR starts at a sigma of 4096, where float32 has a precision of 5e-4.
    bound = 1e-3 if "rescale_betas_zero_snr" in fields and name == "EulerDiscreteScheduler" else 2e-4
    assert_equal(ours(chosen, z, batching=True), theirs(scheduler, 0, z, chosen.noise), bound)


def chosen_by(name: str) -> SamplingChoice:
    return SamplingChoice("ddim" if name == "DDIMScheduler" else "euler")


@BATCHED
@pytest.mark.parametrize("mode", ["none", "full", "self_negative", "onetime_negative"])
@pytest.mark.parametrize("renoise", [True, False])
@pytest.mark.parametrize(("name", "eta"), [("euler", None), ("euler_ancestral", None), ("ddim", 0.5), ("tcd", 0.4)])
def test_every_guidance_mode_follows_the_papers_equations_with_every_sampler(name, eta, mode, renoise, batching):
    table = noise_table(BETAS, choice=SamplingChoice(name, eta, "trailing"))
    noise = torch.randn(4, *SHAPE, generator=torch.Generator().manual_seed(7))
    chosen = Sampling(Schedule.of(table, (6.25, 12.5, 25, 37.5)), RowGuidance(mode, 1.7, 0.6), noise, renoise)
    z = latent()
    expected = denoise(z[0], chosen, (PROMPT, -PROMPT))[None]
    assert_equal(ours(chosen, z, batching=batching).double(), expected)


def test_full_guidance_is_diffusers_classifier_free_guidance():
    config = BETAS | {"timestep_spacing": "trailing", "_class_name": "EulerDiscreteScheduler"}
    chosen = replace(sampling(config, EVEN[4]), guidance=RowGuidance("full", 2.0))
    scheduler = diffusers.EulerDiscreteScheduler.from_config(config)
    scheduler.set_timesteps(4)
    z = latent()
    x = scheduler.add_noise(z, chosen.noise[:1], scheduler.timesteps[:1])
    for t in scheduler.timesteps:
        scaled = scheduler.scale_model_input(x, t)[0]
        positive, negative = (toy(scaled, t.item(), prompt)[None] for prompt in (PROMPT, -PROMPT))
        x = scheduler.step(negative + 2.0 * (positive - negative), t, x, return_dict=False)[0]
    assert_equal(ours(chosen, z, batching=True), x)


@pytest.mark.parametrize(
    ("config", "sampler"),
    [
        ({"_class_name": "LCMScheduler"}, "lcm"),
        ({"_class_name": "LCMScheduler", "timestep_spacing": "trailing"}, "lcm"),
        ({"_class_name": "TCDScheduler"}, "tcd"),
        ({"_class_name": "EulerDiscreteScheduler", "timestep_spacing": "trailing"}, "euler"),
        ({"_class_name": "EulerAncestralDiscreteScheduler", "timestep_spacing": "trailing"}, "euler_ancestral"),
        ({"_class_name": "DDIMScheduler", "timestep_spacing": "trailing", "clip_sample": False}, "ddim"),
        ({"_class_name": "EulerDiscreteScheduler", "timestep_spacing": "leading"}, "lcm"),
        ({"_class_name": "PNDMScheduler", "skip_prk_steps": True, "steps_offset": 1}, "lcm"),
        ({"_class_name": "DPMSolverMultistepScheduler", "timestep_spacing": "trailing"}, "lcm"),
        ({}, "lcm"),
    ],
)
def test_a_config_for_few_steps_chooses_its_own_sampler_and_any_other_the_papers(config, sampler):
    assert noise_table(config).sampler.name == sampler


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"use_karras_sigmas": True}, "use_karras_sigmas"),
        ({"use_exponential_sigmas": True}, "use_exponential_sigmas"),
        ({"final_sigmas_type": "sigma_min"}, "final_sigmas_type"),
        ({"interpolation_type": "log_linear"}, "interpolation_type"),
        ({"sigma_max": 80.0}, "sigma_max"),
        ({"thresholding": True}, "thresholding"),
        ({"clip_sample": True}, "clip_sample"),
        ({"timestep_spacing": "sideways"}, "sideways"),
        ({"steps_offset": -1}, "steps_offset"),
        ({"steps_offset": "one"}, "steps_offset"),
        ({"beta_wobble": 3}, "beta_wobble"),
    ],
)
def test_a_field_that_cannot_be_applied_is_refused_by_name(fields, reason):
    with pytest.raises(Unavailable, match=reason):
        noise_table(BETAS | fields, choice=SamplingChoice("euler"))


@pytest.mark.parametrize("name", ["lcm", "euler", "euler_ancestral"])
def test_eta_is_refused_for_a_sampler_without_eta(name):
    with pytest.raises(Unavailable, match=f"the sampler is {name}"):
        noise_table(BETAS, choice=SamplingChoice(name, 0.5))


def test_ddim_that_would_add_noise_to_the_finished_picture_is_refused():
    with pytest.raises(Unavailable, match="set_alpha_to_one"):
        noise_table(BETAS | {"set_alpha_to_one": False}, choice=SamplingChoice("ddim", 0.5))


@pytest.mark.parametrize("steps", [(20.0, 20.01), (48.98, 49.0), (0.0, 0.02)])
def test_two_steps_of_the_same_timestep_are_refused(steps):
    with pytest.raises(ValueError, match="same timestep"):
        Schedule.of(noise_table(BETAS, choice=SamplingChoice("euler", spacing="trailing")), steps)


def test_a_step_beyond_the_last_timestep_is_refused():
    with pytest.raises(ValueError, match="at most 49"):
        Schedule.of(noise_table(BETAS, choice=SamplingChoice("euler", spacing="leading")), (10.0, 49.9))
