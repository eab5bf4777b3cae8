"""A model's noise schedule and sampler, read from the diffusers scheduler config."""

import inspect
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast, get_args

from sdstream.config.engine import Spacing
from sdstream.controls import TIMESTEPS, Prediction, SamplerName
from sdstream.engine.denoising.sampler import Sampler
from sdstream.engine.denoising.schedule import NoiseTable
from sdstream.errors import Unavailable
from sdstream.log import get_logger

log = get_logger()

SAMPLERS: dict[str, SamplerName] = {
    "EulerDiscreteScheduler": "euler",
    "EulerAncestralDiscreteScheduler": "euler_ancestral",
    "DDIMScheduler": "ddim",
    "TCDScheduler": "tcd",
    "LCMScheduler": "lcm",
}
"""Scheduler classes of diffusers with a sampler here."""

ETA = {"tcd": 0.3, "ddim": 0.0}
"""The samplers with an eta, and the usual eta: diffusers' default."""

_SPACINGS = {"EulerDiscreteScheduler": "linspace", "EulerAncestralDiscreteScheduler": "linspace"}
"""`timestep_spacing` of a class without the field; `leading` for the rest."""

_SUBNORMAL = 2.0**-24
"""ᾱ of the last timestep of Euler's samplers with zero terminal SNR, as in diffusers: sigma stays finite."""

MOST_STEPS = 100_000
"""Training steps of a schedule at most; all published models have 1000."""

_OTHER_KINDS = {"use_flow_sigmas", "sigma_data", "shift", "base_shift", "use_dynamic_shifting", "snr_shift_scale"}
"""Fields of flow matching, of EDM and of shifted schedules. Such a model expects other noise levels or timesteps."""

_APPLIED = {
    "beta_start", "beta_end", "beta_schedule", "trained_betas", "num_train_timesteps", "rescale_betas_zero_snr",
    "prediction_type", "timestep_scaling", "timestep_spacing", "steps_offset", "set_alpha_to_one",
}  # fmt: skip
"""Fields with a use here, whatever the sampler."""

_NEUTRAL: dict[str, tuple[object, ...]] = {
    "thresholding": (False, None),
    "use_karras_sigmas": (False, None),
    "use_exponential_sigmas": (False, None),
    "use_beta_sigmas": (False, None),
    "final_sigmas_type": ("zero", None),
    "interpolation_type": ("linear", None),
    "sigma_min": (None,),
    "sigma_max": (None,),
    "timestep_type": ("discrete", None),
    "clip_sample": (False, None),
}
"""Fields without a use here, with the values of no effect. A different value would change the picture."""

_UNREAD = {
    "clip_sample_range", "dynamic_thresholding_ratio", "sample_max_value", "variance_type", "original_inference_steps",
    "skip_prk_steps", "solver_order", "solver_type", "solver_p", "algorithm_type", "lower_order_final",
    "euler_at_final", "use_lu_lambdas", "lambda_min_clipped", "predict_x0", "disable_corrector", "predictor_order",
    "corrector_order", "tau_func", "noise_sampler_seed", "flow_shift", "time_shift_type", "shift_terminal",
    "max_shift", "base_image_seq_len", "max_image_seq_len", "s_noise", "rho", "invert_sigmas", "stochastic_sampling",
} | _OTHER_KINDS  # fmt: skip
"""Fields of other solvers, or without effect beside a switch above. `_refuse_other_kinds` reads the rest."""


@dataclass(frozen=True)
class SamplingChoice:
    """Choices beside the scheduler config; None takes the config's."""

    sampler: SamplerName | None = None
    eta: float | None = None
    spacing: Spacing | None = None


def noise_table(
    config: Mapping[str, Any],  # JSON
    where: str = "scheduler config",
    choice: SamplingChoice | None = None,
) -> NoiseTable:
    """Read a diffusers scheduler config of any DDPM schedule. `where` begins the message of a refusal.

    Raises Unavailable for a config of a different kind of schedule, for a field that cannot be applied, and for a
    config without sense.
    """
    _refuse_other_kinds(config, where)
    prediction = config.get("prediction_type", "epsilon")
    if prediction not in get_args(Prediction):
        expected = ", ".join(get_args(Prediction))
        raise Unavailable(f"{where}: prediction_type {prediction!r}: expected {expected}")
    choice = choice or SamplingChoice()
    name = choice.sampler or sampler_of(config)
    _refuse_fields(config, name, where)
    shares, times, scaling = _consistency_schedule(config, where)
    euler = name.startswith("euler")
    if euler and config.get("rescale_betas_zero_snr"):
        shares = (*shares[:-1], _SUBNORMAL)
    spacing = choice.spacing or _spacing(config, where)
    if name in ("lcm", "tcd"):
        spacing = "trailing"  # the timesteps of a consistency model, whatever the config says
    else:
        times = _times(spacing, len(shares), _whole(config, "steps_offset", where))
    if shares[round(times[0])] == 0 and prediction == "epsilon":
        raise Unavailable(f"{where}: zero terminal SNR needs prediction_type v_prediction")
    clean = name != "ddim" or bool(config.get("set_alpha_to_one", True))
    return NoiseTable(
        alphas_cumprod=shares,
        timesteps=times,
        prediction=cast(Prediction, prediction),  # checked above
        timestep_scaling=scaling,
        sampler=Sampler(name, _eta(name, choice.eta, where, clean=clean), 1.0 if clean else shares[0]),
        trailing=spacing == "trailing",
        fractions=euler and spacing == "linspace",
    )


def sampler_of(config: Mapping[str, Any]) -> SamplerName:  # JSON
    """Return the sampler that a scheduler config asks for: the config's own for few steps, else the paper's LCM.

    A few-step model names LCM or TCD, or counts its timesteps from the noisy end (`trailing`). Every other config
    belongs to a model for 20 steps and more, which runs here with a distillation such as LCM-LoRA.
    """
    name = SAMPLERS.get(str(config.get("_class_name")), "lcm")
    return name if name == "tcd" or config.get("timestep_spacing") == "trailing" else "lcm"


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


def _spacing(config: Mapping[str, Any], where: str) -> Spacing:  # JSON
    spacing = config.get("timestep_spacing", _SPACINGS.get(str(config.get("_class_name")), "leading"))
    if spacing not in get_args(Spacing):
        expected = ", ".join(get_args(Spacing))
        raise Unavailable(f"{where}: timestep_spacing {spacing!r}: expected {expected}")
    return cast(Spacing, spacing)  # checked above


def _times(spacing: Spacing, count: int, offset: int) -> tuple[float, ...]:
    """Return 50 of `count` training timesteps, noisiest first, not yet rounded (arXiv 2305.08891, table 2)."""
    if spacing == "linspace":
        return tuple((count - 1) * (1 - i / (TIMESTEPS - 1)) for i in range(TIMESTEPS))
    if spacing == "trailing":
        return tuple(count - i * count / TIMESTEPS - 1 for i in range(TIMESTEPS))
    stride = count // TIMESTEPS
    return tuple(min(count - 1, (TIMESTEPS - 1 - i) * stride + offset) for i in range(TIMESTEPS))


def _whole(config: Mapping[str, Any], field: str, where: str) -> int:  # JSON
    value = config.get(field, 0)
    if not isinstance(value, int) or not 0 <= value < TIMESTEPS:
        raise Unavailable(f"{where}: {field} {value!r}: expected a whole number from 0 to {TIMESTEPS - 1}")
    return value


def _eta(name: SamplerName, eta: float | None, where: str, *, clean: bool) -> float:
    if name not in ETA:
        if eta is not None:
            raise Unavailable(f"engine.eta is for the samplers {', '.join(ETA)}, and the sampler is {name}")
        return 0.0
    chosen = ETA[name] if eta is None else eta
    if name == "ddim" and chosen > 0 and not clean:
        raise Unavailable(
            f"{where}: set_alpha_to_one false adds noise to the finished picture with engine.eta {chosen:g}: set "
            "engine.eta to 0, or set_alpha_to_one to true"
        )
    return chosen


def _refuse_fields(config: Mapping[str, Any], name: SamplerName, where: str) -> None:  # JSON
    """Raise Unavailable for a field that would change the picture and cannot be applied, and for an unknown field."""
    for field, value in config.items():
        if field.startswith("_") or field in _APPLIED | _UNREAD:
            continue
        if field not in _NEUTRAL:
            raise Unavailable(f"{where}: unknown field {field}: choose a different model, or remove the field")
        if value in _NEUTRAL[field]:
            continue
        if name == "lcm" and field != "thresholding":
            # The paper runs models of other samplers by LCM, which has no sigmas and clips no latent.
            log.warning("scheduler field has no effect on LCM sampling", field=field, value=value)
            continue
        raise Unavailable(
            f"{where}: {field} {value!r} cannot be applied with the sampler {name}: expected {_NEUTRAL[field][0]!r}"
        )


def _refuse_other_kinds(config: Mapping[str, Any], where: str) -> None:
    """Raise Unavailable for flow matching, EDM and further schedules without DDPM's betas, by class and by fields."""
    name = str(config.get("_class_name") or "a scheduler without a class name")
    found = {field for field in _OTHER_KINDS if config.get(field)}
    if config.get("timestep_type") == "continuous":
        found.add("timestep_type continuous")
    parameters = _parameters(name)
    why = min(found | (parameters & {"shift", "sigma_data", "snr_shift_scale"}), default=None)
    if why is None and parameters and "beta_schedule" not in parameters:
        why = "a schedule without betas"
    if why is None and parameters == set() and name.startswith(("FlowMatch", "EDM", "Cosine")):
        why = "a class that this version of diffusers does not have"
    if why is not None:
        raise Unavailable(
            f"{where}: {name} ({why}) is flow matching, EDM or a further kind without support: expected a DDPM "
            "schedule, such as LCM, DDIM or Euler; choose a different model"
        )


def _parameters(name: str) -> set[str]:
    """Return the parameters of a scheduler class of diffusers; empty for an unknown class."""
    import diffusers

    kind = getattr(diffusers, name, None) if name.endswith("Scheduler") else None
    # A scheduler with a missing dependency is a stand-in without parameters.
    return set(inspect.signature(kind.__init__).parameters) - {"self", "args", "kwargs"} if kind else set()
