"""A model's noise schedule, read from the diffusers scheduler config."""

import inspect
import math
from collections.abc import Mapping
from typing import Any, cast, get_args

from sdstream.controls import TIMESTEPS, Prediction
from sdstream.engine.denoising.schedule import NoiseTable
from sdstream.errors import Unavailable

_OTHER_KINDS = {"use_flow_sigmas", "sigma_data", "shift", "base_shift", "use_dynamic_shifting", "snr_shift_scale"}
"""Fields of flow matching, of EDM and of shifted schedules. Such a model expects other noise levels or timesteps."""


def noise_table(config: Mapping[str, Any], where: str = "scheduler config") -> NoiseTable:  # JSON
    """Read a diffusers scheduler config of any DDPM schedule. `where` begins the message of a refusal.

    Raises Unavailable for a config of a different kind of schedule, and for a config without sense.
    """
    from diffusers import LCMScheduler

    _refuse_other_kinds(config, where)
    prediction = config.get("prediction_type", "epsilon")
    if prediction not in get_args(Prediction):
        expected = ", ".join(get_args(Prediction))
        raise Unavailable(f"{where}: prediction_type {prediction!r}: expected {expected}")
    known = set(inspect.signature(LCMScheduler.__init__).parameters) - {"self", "original_inference_steps"}
    try:
        scheduler = LCMScheduler(**{key: config[key] for key in known & config.keys()})
        scheduler.set_timesteps(TIMESTEPS)
    except (ValueError, TypeError, NotImplementedError, ArithmeticError) as error:
        raise Unavailable(f"{where} cannot be used: {error}") from error
    table = tuple(scheduler.alphas_cumprod.double().tolist())
    if not all(math.isfinite(share) and 0 <= share <= 1 for share in table):
        raise Unavailable(f"{where}: the betas give signal shares outside 0..1")
    if table[scheduler.timesteps[0]] == 0 and prediction == "epsilon":
        raise Unavailable(f"{where}: zero terminal SNR needs prediction_type v_prediction")
    return NoiseTable(
        alphas_cumprod=table,
        timesteps=tuple(scheduler.timesteps.tolist()),
        prediction=cast(Prediction, prediction),  # checked above
        timestep_scaling=float(scheduler.config.timestep_scaling),
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
