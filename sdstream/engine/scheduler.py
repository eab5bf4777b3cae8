"""A model's noise schedule, read from the diffusers scheduler config."""

import inspect
import math
from collections.abc import Mapping
from typing import Any, cast, get_args

from sdstream.controls import TIMESTEPS, Prediction
from sdstream.engine.denoising.schedule import NoiseTable
from sdstream.errors import Unavailable


def noise_table(config: Mapping[str, Any]) -> NoiseTable:  # JSON of any diffusers scheduler
    """Read a scheduler config, whichever class the config is for; raises Unavailable if the config makes no sense."""
    from diffusers import LCMScheduler

    prediction = config.get("prediction_type", "epsilon")
    if prediction not in get_args(Prediction):
        expected = ", ".join(get_args(Prediction))
        raise Unavailable(f"scheduler config: prediction_type {prediction!r}: expected {expected}")
    known = set(inspect.signature(LCMScheduler.__init__).parameters) - {"self", "original_inference_steps"}
    try:
        scheduler = LCMScheduler(**{key: config[key] for key in known & config.keys()})
        scheduler.set_timesteps(TIMESTEPS)
    except (ValueError, TypeError, NotImplementedError, ArithmeticError) as error:
        raise Unavailable(f"scheduler config cannot be used: {error}") from error
    table = tuple(scheduler.alphas_cumprod.double().tolist())
    if not all(math.isfinite(share) and 0 <= share <= 1 for share in table):
        raise Unavailable("scheduler config: the betas give signal shares outside 0..1")
    if table[scheduler.timesteps[0]] == 0 and prediction == "epsilon":
        raise Unavailable("scheduler config: zero terminal SNR needs prediction_type v_prediction")
    return NoiseTable(
        alphas_cumprod=table,
        timesteps=tuple(scheduler.timesteps.tolist()),
        prediction=cast(Prediction, prediction),  # checked above
        timestep_scaling=float(scheduler.config.timestep_scaling),
    )
