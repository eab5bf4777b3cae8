"""A model's noise schedule and sampler, read from the diffusers scheduler config."""

import inspect
import math
from collections.abc import Mapping
from typing import Any

from sdstream.config.engine import Spacing
from sdstream.controls import TIMESTEPS
from sdstream.engine.denoising.sampler import Sampler
from sdstream.engine.denoising.schedule import NoiseTable
from sdstream.engine.weights.scheduler_config import SamplingChoice, checked, ignored, refuse_class
from sdstream.errors import Unavailable
from sdstream.log import get_logger

log = get_logger()

_SUBNORMAL = 2.0**-24
"""ᾱ of the last timestep of Euler's samplers with zero terminal SNR, as in diffusers: sigma stays finite."""

MOST_STEPS = 100_000
"""Training steps of a schedule at most; all published models have 1000."""


def noise_table(
    config: Mapping[str, Any],  # JSON
    where: str = "scheduler config",
    choice: SamplingChoice | None = None,
) -> NoiseTable:
    """Read a diffusers scheduler config of any DDPM schedule. `where` begins the message of a refusal.

    Raises Unavailable for a config of a different kind of schedule, for a field that cannot be applied, and for a
    config without sense.
    """
    found = checked(config, where, choice or SamplingChoice())
    _refuse_newer_kinds(config, where)
    for field, value in ignored(config, found.sampler):
        log.warning("scheduler field has no effect on LCM sampling", field=field, value=value)
    shares, times, scaling = _consistency_schedule(config, where)
    euler = found.sampler.startswith("euler")
    if euler and config.get("rescale_betas_zero_snr"):
        shares = (*shares[:-1], _SUBNORMAL)
    if found.sampler not in ("lcm", "tcd"):
        times = _times(found.spacing, len(shares), found.steps_offset)
    if shares[round(times[0])] == 0 and found.prediction == "epsilon":
        raise Unavailable(f"{where}: zero terminal SNR needs prediction_type v_prediction")
    return NoiseTable(
        alphas_cumprod=shares,
        timesteps=times,
        prediction=found.prediction,
        timestep_scaling=scaling,
        sampler=Sampler(found.sampler, found.eta, 1.0 if found.ends_clean else shares[0]),
        trailing=found.spacing == "trailing",
        fractions=euler and found.spacing == "linspace",
    )


def _consistency_schedule(
    config: Mapping[str, Any],  # JSON
    where: str,
) -> tuple[tuple[float, ...], tuple[float, ...], float]:
    """Return ᾱ of each training timestep, the 50 timesteps of a consistency model, and the boundary's scaling."""
    from diffusers import LCMScheduler

    steps = config.get("num_train_timesteps", 1000)
    if not isinstance(steps, int) or not 1 <= steps <= MOST_STEPS:
        raise Unavailable(f"{where}: num_train_timesteps: expected 1 to {MOST_STEPS}")
    known = set(inspect.signature(LCMScheduler.__init__).parameters) - {"self", "original_inference_steps"}
    try:
        scheduler = LCMScheduler(**{key: config[key] for key in known & config.keys()})
        scheduler.set_timesteps(TIMESTEPS)
    except (ValueError, TypeError, NotImplementedError, ArithmeticError) as error:
        raise Unavailable(f"{where} cannot be used: {error}") from error
    shares = tuple(scheduler.alphas_cumprod.double().tolist())
    if not all(math.isfinite(share) and 0 <= share <= 1 for share in shares):
        raise Unavailable(f"{where}: the betas give signal shares outside 0..1")
    return shares, tuple(scheduler.timesteps.tolist()), float(scheduler.config.timestep_scaling)


def _times(spacing: Spacing, count: int, offset: int) -> tuple[float, ...]:
    """Return 50 of `count` training timesteps, noisiest first, not yet rounded (arXiv 2305.08891, table 2)."""
    if spacing == "linspace":
        return tuple((count - 1) * (1 - i / (TIMESTEPS - 1)) for i in range(TIMESTEPS))
    if spacing == "trailing":
        return tuple(count - i * count / TIMESTEPS - 1 for i in range(TIMESTEPS))
    stride = count // TIMESTEPS
    return tuple(min(count - 1, (TIMESTEPS - 1 - i) * stride + offset) for i in range(TIMESTEPS))


def _refuse_newer_kinds(config: Mapping[str, Any], where: str) -> None:  # JSON
    """Refuse a scheduler class of diffusers without DDPM's betas that is newer than the table of `scheduler_config`."""
    import diffusers

    name = str(config.get("_class_name"))
    kind = getattr(diffusers, name, None) if name.endswith("Scheduler") else None
    # A scheduler with a missing dependency is a stand-in without parameters.
    parameters = set(inspect.signature(kind.__init__).parameters) - {"self", "args", "kwargs"} if kind else set()
    if parameters and ("beta_schedule" not in parameters or parameters & {"shift", "sigma_data", "snr_shift_scale"}):
        refuse_class(name, "a schedule without DDPM's betas", where)
