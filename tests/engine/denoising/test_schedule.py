"""Stage constants against diffusers' own scheduler."""

import inspect

import pytest
from diffusers import LCMScheduler

from sdstream.engine.denoising.schedule import Schedule
from sdstream.engine.scheduler import noise_table
from sdstream.engine.weights.scheduler_config import SamplingChoice, checked
from sdstream.errors import Unavailable


def test_steps_index_the_papers_fifty_timesteps():
    table = noise_table({})
    assert Schedule.of(table, (0, 16, 18, 32, 45)).timesteps == (999, 679, 639, 359, 99)


@pytest.mark.parametrize("config", [{}, {"beta_schedule": "linear"}, {"beta_start": 0.001, "timestep_scaling": 5.0}])
def test_constants_are_those_of_the_lcm_scheduler(config):
    steps = (0, 7, 32, 49)
    schedule = Schedule.of(noise_table(config), steps)
    lcm = LCMScheduler(**config)
    alphas = [float(lcm.alphas_cumprod[t]) for t in schedule.timesteps]
    scalings = [lcm.get_scalings_for_boundary_condition_discrete(t) for t in schedule.timesteps]
    assert len(schedule) == len(steps)
    assert list(schedule.a) == pytest.approx([alpha**0.5 for alpha in alphas], rel=1e-6)
    assert list(schedule.b) == pytest.approx([(1 - alpha) ** 0.5 for alpha in alphas], rel=1e-6)
    assert list(schedule.c_skip) == pytest.approx([c_skip for c_skip, _ in scalings], rel=1e-9)
    assert list(schedule.c_out) == pytest.approx([c_out for _, c_out in scalings], rel=1e-9)


def test_the_name_of_the_scheduler_does_not_matter():
    euler = {"_class_name": "EulerDiscreteScheduler", "beta_schedule": "scaled_linear", "interpolation_type": "linear"}
    assert noise_table(euler) == noise_table({})


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"prediction_type": "flow"}, "prediction_type 'flow'"),
        ({"beta_schedule": "wavy"}, "wavy"),
        ({"num_train_timesteps": 20}, "cannot be used"),
        ({"trained_betas": [2.0] * 1000}, "outside"),
        ({"beta_end": float("nan")}, "outside"),
        ({"beta_end": "much"}, "cannot be used"),
        ({"rescale_betas_zero_snr": True}, "zero terminal SNR"),
    ],
)
def test_a_config_without_sense_is_refused_with_its_reason(config, reason):
    with pytest.raises(Unavailable, match=reason):
        noise_table(config)


BETAS = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("FlowMatchEulerDiscreteScheduler", {"num_train_timesteps": 1000, "shift": 3.0}),
        ("FlowMatchLCMScheduler", {}),
        ("FlowMatchOfTomorrowScheduler", {}),
        ("MyOwnScheduler", {"shift": 3.0}),
        ("MyOwnScheduler", BETAS | {"sigma_data": 0.5}),
        ("EDMDPMSolverMultistepScheduler", {"sigma_max": 80.0, "sigma_min": 0.002, "prediction_type": "epsilon"}),
        ("EDMEulerScheduler", {}),
        ("DPMSolverMultistepScheduler", BETAS | {"use_flow_sigmas": True, "flow_shift": 3.0}),
        ("UniPCMultistepScheduler", BETAS | {"use_flow_sigmas": True}),
        ("EulerDiscreteScheduler", BETAS | {"timestep_type": "continuous", "sigma_max": 700.0}),
        ("DDIMScheduler", BETAS | {"snr_shift_scale": 3.0}),
        ("CogVideoXDDIMScheduler", BETAS),
        ("CosineDPMSolverMultistepScheduler", {}),
        ("CMStochasticIterativeScheduler", {}),
        ("VQDiffusionScheduler", {}),
    ],
)
def test_a_scheduler_without_a_ddpm_schedule_is_refused_by_name(name, fields):
    with pytest.raises(Unavailable, match=name):
        noise_table({"_class_name": name, **fields})


@pytest.mark.parametrize(
    "name",
    [
        "LCMScheduler", "DDIMScheduler", "DDPMScheduler", "PNDMScheduler", "TCDScheduler", "EulerDiscreteScheduler",
        "EulerAncestralDiscreteScheduler", "HeunDiscreteScheduler", "KDPM2DiscreteScheduler", "LMSDiscreteScheduler",
        "DEISMultistepScheduler", "DPMSolverMultistepScheduler", "DPMSolverSinglestepScheduler",
        "DPMSolverSDEScheduler", "UniPCMultistepScheduler", "MyOwnScheduler",
    ],
)  # fmt: skip
def test_a_scheduler_of_a_ddpm_schedule_is_taken_with_the_librarys_own_fields(name):
    import diffusers

    parameters = inspect.signature(getattr(diffusers, name, diffusers.LCMScheduler)).parameters.values()
    fields = {each.name: each.default for each in parameters if each.default is not each.empty}
    assert noise_table({**fields, **BETAS, "_class_name": name}).alphas_cumprod == noise_table(BETAS).alphas_cumprod


def test_every_flow_or_edm_scheduler_of_the_library_is_refused():
    import diffusers

    flow = [name for name in dir(diffusers) if name.startswith(("FlowMatch", "FlowMap", "EDM")) and "Sched" in name]
    for name in flow:
        with pytest.raises(Unavailable, match=name):
            noise_table({"_class_name": name})
    assert flow


def test_every_scheduler_of_the_library_without_ddpms_betas_is_known_by_name():
    import diffusers

    names = [name for name in dir(diffusers) if name.endswith("Scheduler")]
    kinds = {name: set(inspect.signature(getattr(diffusers, name).__init__).parameters) for name in names}
    other = {"shift", "sigma_data", "snr_shift_scale"}
    found = {name for name, parameters in kinds.items() if parameters - {"self", "args", "kwargs"}
             and ("beta_schedule" not in parameters or parameters & other)}  # fmt: skip
    unknown = []
    for name in found:
        try:
            checked({"_class_name": name}, "scheduler", SamplingChoice())
        except Unavailable:
            continue
        unknown.append(name)
    assert (unknown, len(found) > 10) == ([], True)


def test_zero_terminal_snr_works_with_v_prediction():
    config = {"rescale_betas_zero_snr": True, "prediction_type": "v_prediction"}
    schedule = Schedule.of(noise_table(config), (0, 30))
    assert schedule.a[0] == pytest.approx(0, abs=1e-3)
    assert schedule.clean(0) == pytest.approx((0, -1), abs=1e-3)
