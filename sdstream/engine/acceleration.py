"""Chooses a model's backend: the backend in the settings, or under `auto` the first backend without an obstacle.

Only the backend knows the obstacles of a backend.
"""

from collections.abc import Mapping

import torch

from sdstream.config.engine import Acceleration, DiffusionSettings, NumberFormat
from sdstream.engine.eager import backend as eager
from sdstream.engine.graph import backend as graph
from sdstream.engine.models import Model, choose_device, load
from sdstream.engine.networks import Backend, Job, Networks
from sdstream.engine.openvino import backend as openvino
from sdstream.errors import Unavailable
from sdstream.log import get_logger

log = get_logger()

BACKENDS: Mapping[Acceleration, Backend] = {"openvino": openvino, "graph": graph, "eager": eager}
"""In order of preference."""

AUTO: tuple[Acceleration, ...] = ("openvino", "graph", "eager")
"""The backends for `auto`."""


def choose(settings: DiffusionSettings, device: torch.device) -> tuple[Acceleration, ...]:
    """Return the backends without an obstacle to the settings, in order of preference.

    Raises Unavailable when every backend has an obstacle, with all obstacles.
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
    """Load the model of the settings, in the weights' dtype of the backend; raises Unavailable."""
    device = choose_device(settings.device)
    return load(settings, device, weights_dtype(settings, device))


def open_networks(job: Job) -> Networks:
    """Make a model's networks ready to run; may take minutes. Raises Unavailable when every backend refuses.

    Under `auto` a refusal of the model by a backend is logged, and the next backend is tried.
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
            _log_format_change(job, networks.dtype, refusals)
            return networks
    raise Unavailable(_refusal(job.settings, job.model.device, refusals))


def _refusal(settings: DiffusionSettings, device: torch.device, refusals: Mapping[Acceleration, str]) -> str:
    """Return the message: a line with the reason for each backend, then the advice. `refusals` concern the model."""
    lines, able = [], []
    for name, backend in BACKENDS.items():
        reason = backend.obstacle(settings, device) or refusals.get(name)
        lines.append(f"  {name}: {reason or 'available'}")
        if reason is None:
            able.append(name)
    otherwise = f", or use engine.acceleration: {' or '.join(able)}" if able else ""
    first = f"engine.acceleration: {settings.acceleration} cannot be used:"
    return "\n".join([first, *lines, f"change a setting as the lines above say{otherwise}"])


def _log_choice(name: Acceleration, job: Job, refusals: Mapping[Acceleration, str]) -> None:
    settings, device = job.settings, job.model.device
    if settings.acceleration != "auto":
        return
    preferred = AUTO[: AUTO.index(name)]
    reasons = {other: BACKENDS[other].obstacle(settings, device) or refusals[other] for other in preferred}
    because = "; ".join(f"{other}: {reason}" for other, reason in reasons.items())
    log.info("acceleration chosen", acceleration=name, because=because or "the fastest backend, without an obstacle")


def _log_format_change(job: Job, dtype: NumberFormat, refusals: Mapping[Acceleration, str]) -> None:
    """Log a change of the number format by an addition to the model: the picture changes a little with the format."""
    settings, device = job.settings, job.model.device
    if settings.dtype != "auto" or not (settings.controlnets or settings.loras or settings.ip_adapters):
        return
    plain = settings.model_copy(update={"controlnets": {}, "loras": {}, "ip_adapters": {}})
    for name in choose(plain, device):
        if name in refusals:
            continue
        try:
            without = BACKENDS[name].number_format(job.model, plain)
        except Unavailable:
            continue  # `open_networks` passes this backend over too
        if without != dtype:
            because = BACKENDS[name].obstacle(settings, device) or "a LoRA changes the model's weights"
            what = "ControlNets, LoRAs or IP-Adapters change the number format"
            log.warning(what, dtype=dtype, without=without, because=because)
        return
