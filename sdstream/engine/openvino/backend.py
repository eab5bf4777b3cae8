"""OpenVINO as a backend: several times faster than torch on a CPU, with fixed weights."""

from importlib.util import find_spec
from typing import Literal

import torch

from sdstream.config.engine import DiffusionSettings, NumberFormat
from sdstream.engine.artefacts import ArtefactStore
from sdstream.engine.autoencoder import Autoencoder
from sdstream.engine.models import Model
from sdstream.engine.networks import Job, Networks, without_additions
from sdstream.engine.openvino.autoencoder import GraphAutoencoder
from sdstream.engine.openvino.key import make_key
from sdstream.engine.openvino.runtime import Runtime, computes_in, precision_here
from sdstream.engine.openvino.unet import PREPARED, GraphUNet
from sdstream.engine.shared_module import float_copy
from sdstream.engine.weights.activation_ranges import FILE, ModelRanges
from sdstream.errors import Unavailable
from sdstream.ipc import progress
from sdstream.ipc.loading import Phase
from sdstream.log import get_logger
from sdstream.system.installation import extra_line

log = get_logger()

SMALL = 128_000_000
"""Largest U-Net (number of parameters) for graphs cached on disk and compiled in advance: a graph is as large as the
model, and each number of rows has a graph."""


def obstacle(settings: DiffusionSettings, device: torch.device) -> str | None:
    """Return why OpenVINO cannot serve the settings, or None."""
    if device.type != "cpu":
        return f"needs a CPU, and the model runs on {device.type} (set engine.device: cpu)"
    if find_spec("openvino") is None:
        return f"is not installed (type: {extra_line('openvino')})"
    adjustable = [name for name, lora in settings.loras.items() if not lora.fuse]
    if adjustable:
        return f"LoRA {adjustable[0]!r} is adjustable on air, and the weights of a graph are fixed (set fuse: true)"
    if addition := without_additions(settings):
        return addition
    if settings.dtype == "float16":
        return "computes in float32, bfloat16 or int8, not in float16 (set engine.dtype: auto)"
    if settings.dtype in ("bfloat16", "int8"):
        return _incapability(settings.dtype)
    return None


def weights_dtype(settings: DiffusionSettings, device: torch.device) -> torch.dtype:
    """Return a dtype for torch on a CPU, because torch may run the model instead. Graphs come from a float32 copy."""
    del device
    return torch.bfloat16 if settings.dtype == "bfloat16" else torch.float32


def number_format(model: Model, settings: DiffusionSettings) -> NumberFormat:
    """Return the format of the arithmetic on this CPU. Raises Unavailable, as explained in `make`."""
    _refuse_guidance_input(model)
    return precision_here(settings.dtype, int8=_ranges(model, settings) is not None)


def make(job: Job) -> Networks:
    """Convert and compile the networks, or load the graphs from the store of artefacts.

    Raises Unavailable for a model with guidance as an input, for int8 without the model's activation ranges, and for a
    network beyond OpenVINO's converter.
    """
    model, settings = job.model, job.settings
    _refuse_guidance_input(model)
    ranges = _ranges(model, settings)
    runtime = Runtime(settings.dtype, job.threads, int8=ranges is not None)
    if ranges is None or runtime.processor.precision != "int8":
        ranges = ModelRanges({}, {})
    log.info("openvino", precision=runtime.processor.precision, threads=job.threads)
    modules = float_copy(model.unet), float_copy(model.autoencoder)
    shape, prompt, time_ids = model.latent_shape(job.size), model.text.encode(""), model.time_ids(job.size)
    small = sum(weight.numel() for weight in modules[0].parameters()) <= SMALL
    store = None
    if small and job.cache is not None:
        key = make_key(modules, job.size, tuple(prompt.tokens.shape), ranges.text(), runtime.processor)
        store = ArtefactStore.open(job.cache / "openvino", key)
    unet = GraphUNet(runtime, modules[0], shape, prompt, time_ids=time_ids, ranges=ranges.unet, store=store)
    autoencoder = GraphAutoencoder(runtime, Autoencoder(modules[1]), shape, ranges.autoencoder, store)
    progress.begin(Phase.COMPILING, 2 + (PREPARED if small else 0))
    autoencoder.prepare()
    if small:
        unet.prepare()
    # Leave the cores to the graphs: torch's threads spin for some milliseconds after each call.
    return Networks(unet, autoencoder, runtime.processor.precision, torch_threads=1, preparation=unet)


def _incapability(dtype: Literal["bfloat16", "int8"]) -> str | None:
    try:
        able = computes_in(dtype)
    except Unavailable as error:
        return str(error)
    return None if able else f"this CPU does not compute in {dtype} (set engine.dtype: auto)"


def _refuse_guidance_input(model: Model) -> None:
    if model.unet.config.get("time_cond_proj_dim"):
        raise Unavailable(
            "engine.acceleration: openvino runs no model with guidance as an input (LCM); "
            "use engine.acceleration: auto or eager"
        )


def _ranges(model: Model, settings: DiffusionSettings) -> ModelRanges | None:
    """Return the model's activation ranges; None without valid ranges, or Unavailable if the settings demand int8."""
    reason = None
    if model.ranges is None:
        reason = f"this model has no {FILE}"
    elif settings.loras:
        reason = "a LoRA changes the model's weights"
    if settings.dtype == "int8" and reason is not None:
        raise Unavailable(f"engine.dtype: int8 is unavailable: {reason}; use engine.dtype: auto")
    return model.ranges if reason is None else None
