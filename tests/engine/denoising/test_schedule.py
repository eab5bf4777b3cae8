"""Stage constants against diffusers' own scheduler."""

import pytest
from diffusers import LCMScheduler

from sdstream.engine.denoising.schedule import Schedule
from sdstream.engine.scheduler import noise_table
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


def test_zero_terminal_snr_works_with_v_prediction():
    config = {"rescale_betas_zero_snr": True, "prediction_type": "v_prediction"}
    schedule = Schedule.of(noise_table(config), (0, 30))
    assert schedule.a[0] == pytest.approx(0, abs=1e-3)
    assert schedule.clean(0) == pytest.approx((0, -1), abs=1e-3)
