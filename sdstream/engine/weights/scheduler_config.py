"""The part of a diffusers scheduler config that decides whether a model's sampler is known here, and which one it is.

Neither torch nor diffusers is needed, so that `sdstream check` refuses what a run would refuse.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn, cast, get_args

from sdstream.config.engine import Spacing
from sdstream.controls import TIMESTEPS, Prediction, SamplerName
from sdstream.errors import Unavailable

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

OTHER_CLASSES = {
    "AmusedScheduler", "BlockRefinementScheduler", "CMStochasticIterativeScheduler", "CogVideoXDDIMScheduler",
    "CogVideoXDPMScheduler", "DDPMWuerstchenScheduler", "DiscreteDDIMScheduler", "EntropyBoundScheduler",
    "HeliosDMDScheduler", "HeliosScheduler", "IPNDMScheduler", "KarrasVeScheduler", "LTXEulerAncestralRFScheduler",
    "MiniMaxH3Scheduler", "PiflowScheduler", "RFD4ProteinaScheduler", "SCMScheduler", "ScoreSdeVeScheduler",
    "VQDiffusionScheduler",
}  # fmt: skip
"""Scheduler classes of diffusers without DDPM's betas, beside the families of `_OTHER_FAMILIES`."""

_OTHER_FAMILIES = ("FlowMatch", "FlowMap", "EDM", "Cosine")
"""Starts of the names of scheduler classes for flow matching and for EDM."""


@dataclass(frozen=True)
class SamplingChoice:
    """Choices beside the scheduler config; None takes the config's."""

    sampler: SamplerName | None = None
    eta: float | None = None
    spacing: Spacing | None = None


@dataclass(frozen=True)
class SchedulerConfig:
    """The checked choices of a scheduler config."""

    prediction: Prediction
    sampler: SamplerName
    eta: float
    spacing: Spacing
    steps_offset: int
    ends_clean: bool
    """Whether the last step ends at a picture without noise; only DDIM may end at the first timestep's noise."""


def checked(config: Mapping[str, Any], where: str, choice: SamplingChoice) -> SchedulerConfig:  # JSON
    """Return the choices of a config and of the settings. `where` begins the message of a refusal.

    Raises Unavailable for a different kind of schedule, and for a field that cannot be applied.
    """
    _refuse_other_kinds(config, where)
    prediction = config.get("prediction_type", "epsilon")
    if prediction not in get_args(Prediction):
        expected = ", ".join(get_args(Prediction))
        raise Unavailable(f"{where}: prediction_type {prediction!r}: expected {expected}")
    name = choice.sampler or sampler_of(config)
    _refuse_fields(config, name, where)
    spacing, offset = choice.spacing or _spacing(config, where), 0
    if name in ("lcm", "tcd"):
        spacing = "trailing"  # the timesteps of a consistency model, whatever the config says
    else:
        offset = _whole(config, "steps_offset", where)
    clean = name != "ddim" or bool(config.get("set_alpha_to_one", True))
    eta = _eta(name, choice.eta, where, clean=clean)
    return SchedulerConfig(cast(Prediction, prediction), name, eta, spacing, offset, clean)  # checked above


def ignored(config: Mapping[str, Any], name: SamplerName) -> Iterator[tuple[str, object]]:  # JSON
    """Yield the fields with a value that would change the picture of a different sampler than `name`, LCM.

    The paper runs models of other samplers by LCM, which has no sigmas and clips no latent.
    """
    for field, neutral in _NEUTRAL.items():
        if name == "lcm" and config.get(field, neutral[0]) not in neutral:
            yield field, config[field]


def sampler_of(config: Mapping[str, Any]) -> SamplerName:  # JSON
    """Return the sampler that a scheduler config asks for: the config's own for few steps, else the paper's LCM.

    A few-step model names LCM or TCD, or counts its timesteps from the noisy end (`trailing`). Every other config
    belongs to a model for 20 steps and more, which runs here with a distillation such as LCM-LoRA.
    """
    name = SAMPLERS.get(str(config.get("_class_name")), "lcm")
    return name if name == "tcd" or config.get("timestep_spacing") == "trailing" else "lcm"


def _spacing(config: Mapping[str, Any], where: str) -> Spacing:  # JSON
    spacing = config.get("timestep_spacing", _SPACINGS.get(str(config.get("_class_name")), "leading"))
    if spacing not in get_args(Spacing):
        expected = ", ".join(get_args(Spacing))
        raise Unavailable(f"{where}: timestep_spacing {spacing!r}: expected {expected}")
    return cast(Spacing, spacing)  # checked above


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
            continue  # named by `ignored`
        raise Unavailable(
            f"{where}: {field} {value!r} cannot be applied with the sampler {name}: expected {_NEUTRAL[field][0]!r}"
        )


def _refuse_other_kinds(config: Mapping[str, Any], where: str) -> None:
    """Raise Unavailable for flow matching, EDM and further schedules without DDPM's betas, by class and by fields."""
    name = str(config.get("_class_name") or "a scheduler without a class name")
    found = {field for field in _OTHER_KINDS if config.get(field)}
    if config.get("timestep_type") == "continuous":
        found.add("timestep_type continuous")
    why = min(found, default=None)
    if why is None and (name in OTHER_CLASSES or name.startswith(_OTHER_FAMILIES)):
        why = "a schedule without DDPM's betas"
    if why is not None:
        refuse_class(name, why, where)


def refuse_class(name: str, why: str, where: str) -> NoReturn:
    """Raise Unavailable for the scheduler class `name`."""
    raise Unavailable(
        f"{where}: {name} ({why}) is flow matching, EDM or a further kind without support: expected a DDPM "
        "schedule, such as LCM, DDIM or Euler; choose a different model"
    )
