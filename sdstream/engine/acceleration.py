"""Chooses the backend that runs a model: the one that the settings name, or under `auto` the first that can.

What each backend can do, only the backend knows.
"""

from collections.abc import Mapping

import torch

from sdstream.config.engine import Acceleration, DiffusionSettings, NumberFormat
from sdstream.engine.eager import backend as eager
from sdstream.engine.eager import compiled
from sdstream.engine.models import Model, choose_device, load
from sdstream.engine.networks import Backend, Job, Networks
from sdstream.engine.openvino import backend as openvino
from sdstream.errors import Unavailable
from sdstream.log import get_logger

log = get_logger()

BACKENDS: Mapping[Acceleration, Backend] = {"openvino": openvino, "eager": eager, "compile": compiled}
"""In order of preference."""

AUTO: tuple[Acceleration, ...] = ("openvino", "eager")
"""The backends that `auto` may take; torch.compile is an experiment, and is taken only by name."""


def choose(settings: DiffusionSettings, device: torch.device) -> tuple[Acceleration, ...]:
    """Return the backends that may run a model as the settings ask, in order of preference.

    Raises Unavailable if there is none, with the reason of every backend.
    """
    allowed = AUTO if settings.acceleration == "auto" else (settings.acceleration,)
    able = tuple(name for name in allowed if BACKENDS[name].obstacle(settings, device) is None)
    if not able:
        raise Unavailable(_refusal(settings, device, {}))
    return able


def weights_dtype(settings: DiffusionSettings, device: torch.device) -> torch.dtype:
    """Return the dtype to load a model's weights in; raises Unavailable as `choose` does."""
    return BACKENDS[choose(settings, device)[0]].weights_dtype(settings, device)


def open_model(settings: DiffusionSettings) -> Model:
    """Load the model that the settings name, as its backend wants the weights; raises Unavailable."""
    device = choose_device(settings.device)
    return load(settings, device, weights_dtype(settings, device))


def open_networks(job: Job) -> Networks:
    """Make the networks of a model ready to run, which may take minutes. Raises Unavailable if no backend can.

    Under `auto` a backend that refuses the model is logged, and the next is tried.
    """
    refusals: dict[Acceleration, str] = {}
    for name in choose(job.settings, job.model.device):
        _log_choice(name, job, refusals)
        try:
            networks = BACKENDS[name].make(job)
        except Unavailable as error:
            if job.settings.acceleration != "auto":
                raise
            log.warning("acceleration auto: the next backend is tried", refused_by=name, reason=str(error))
            refusals[name] = str(error)
        else:
            _log_another_format(job, networks.dtype)
            return networks
    raise Unavailable(_refusal(job.settings, job.model.device, refusals))


def _refusal(settings: DiffusionSettings, device: torch.device, refusals: Mapping[Acceleration, str]) -> str:
    """Say why no backend can: one line for each, then what to do. `refusals` are those of the model itself."""
    lines, able = [], []
    for name, backend in BACKENDS.items():
        reason = backend.obstacle(settings, device) or refusals.get(name)
        lines.append(f"  {name}: {reason or 'nothing is in its way'}")
        if reason is None:
            able.append(name)
    otherwise = f", or use engine.acceleration: {' or '.join(able)}" if able else ""
    first = f"engine.acceleration: {settings.acceleration} cannot be had:"
    return "\n".join([first, *lines, f"change a setting as its line says{otherwise}"])


def _log_choice(name: Acceleration, job: Job, refusals: Mapping[Acceleration, str]) -> None:
    settings, device = job.settings, job.model.device
    if settings.acceleration != "auto":
        return
    preferred = AUTO[: AUTO.index(name)]
    reasons = {other: BACKENDS[other].obstacle(settings, device) or refusals[other] for other in preferred}
    because = "; ".join(f"{other}: {reason}" for other, reason in reasons.items())
    log.info("acceleration chosen", acceleration=name, because=because or "the fastest, and nothing is in its way")


def _log_another_format(job: Job, dtype: NumberFormat) -> None:
    """Log that ControlNets or LoRAs change the number format: the picture changes a little by that alone."""
    settings, device = job.settings, job.model.device
    if settings.dtype != "auto":
        return
    plain = settings.model_copy(update={"controlnets": {}, "loras": {}})
    for name in choose(plain, device):
        try:
            without = BACKENDS[name].number_format(job.model, plain)
        except Unavailable:
            continue  # `open_networks` passes this backend over too
        if without != dtype:
            because = BACKENDS[name].obstacle(settings, device) or "a LoRA changes the model's weights"
            log.warning("ControlNets or LoRAs change the number format", dtype=dtype, without=without, because=because)
        return
