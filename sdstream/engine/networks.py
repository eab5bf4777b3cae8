"""The two networks of a model, made ready to run as the settings ask: by torch, or by OpenVINO."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from sdstream.config.engine import DiffusionSettings
from sdstream.engine.acceleration import choose, find_obstacle
from sdstream.engine.adapters.controlnet import ControlNets
from sdstream.engine.adapters.lora import Loras
from sdstream.engine.artefacts import ArtefactStore
from sdstream.engine.autoencoder import Autoencoder
from sdstream.engine.conditioning.prompt import Condition
from sdstream.engine.denoising.stream_batch import Row
from sdstream.engine.eager.unet import ConditionedUNet
from sdstream.engine.models import Model, compile_model
from sdstream.engine.shared_module import copy_structure, float_copy
from sdstream.engine.size import Size
from sdstream.engine.weights.activation_ranges import FILE, ModelRanges
from sdstream.errors import Unavailable
from sdstream.frame import Pixels
from sdstream.log import get_logger

log = get_logger()

CORES = torch.get_num_threads()
"""Threads that torch takes by itself."""

SMALL = 128_000_000
"""Weights of a U-Net up to which graphs are kept on disk and compiled before they are asked for: a graph is as large
as the model, and one is made for each number of rows."""


class RowUNet(Protocol):
    """A U-Net as Stream Batch calls it."""

    def __call__(self, x: Tensor, timesteps: Tensor, rows: Sequence[Row[Condition]]) -> Tensor:
        """Run one call: x [rows, c, h, w] float32; the result is likewise, and holds until the next call."""
        ...


class Coder(Protocol):
    """An autoencoder between pictures in host memory and scaled latents."""

    def to_latent(self, pixels: Pixels) -> Tensor:
        """Encode one picture of the engine's size.  # [1, c, h, w] float32"""
        ...

    def to_picture(self, latent: Tensor) -> Pixels:
        """Decode one latent; the result is the caller's own."""
        ...


@dataclass(frozen=True)
class Networks:
    """What a session runs."""

    unet: RowUNet
    autoencoder: Coder
    dtype: str
    """Number format that they compute in."""
    torch_threads: int
    """Threads that torch should have while these networks run."""


def make_networks(
    model: Model, settings: DiffusionSettings, size: Size, controlnets: ControlNets, loras: Loras, cache: Path | None
) -> Networks:
    """Make them ready, which may take a minute; raises Unavailable where the acceleration cannot be had.

    Compiled artefacts are kept below `cache`; None keeps nothing.
    """
    threads = settings.threads or CORES
    acceleration = choose(settings, model.device)
    if acceleration == "openvino":
        try:
            return _graphs(model, settings, size, threads, cache)
        except Unavailable as error:
            if settings.acceleration == "openvino" or settings.dtype == "int8":
                raise
            log.warning("acceleration auto: eager instead of openvino", reason=str(error))
    else:
        _tell_another_format(model, settings, _name(model.unet.dtype))
    if acceleration == "compile":
        compile_model(model)
    unet = ConditionedUNet(
        model.unet,
        prompt_cache=settings.prompt_cache,
        time_ids=_time_ids(model, size),
        controlnets=controlnets,
        loras=loras,
    )
    return Networks(unet, Autoencoder(copy_structure(model.autoencoder)), _name(model.unet.dtype), threads)


def _graphs(model: Model, settings: DiffusionSettings, size: Size, threads: int, cache: Path | None) -> Networks:
    if _takes_guidance(model):
        raise Unavailable(
            "engine.acceleration: openvino runs no model that takes guidance as an input (LCM); use auto or eager"
        )
    from sdstream.engine.openvino.autoencoder import GraphAutoencoder
    from sdstream.engine.openvino.key import make_key
    from sdstream.engine.openvino.runtime import Runtime
    from sdstream.engine.openvino.unet import GraphUNet

    unet_module, autoencoder_module = float_copy(model.unet), float_copy(model.autoencoder)
    ranges = _ranges(model, settings)
    runtime = Runtime(settings.dtype, threads, int8=ranges is not None)
    if ranges is None or runtime.processor.precision != "int8":
        ranges = ModelRanges({}, {})
    log.info("openvino", precision=runtime.processor.precision, threads=threads)
    small = sum(weight.numel() for weight in model.unet.parameters()) <= SMALL
    prompt = model.text.encode("")
    shape = model.latent_shape(size)
    key = make_key(
        (unet_module, autoencoder_module), size, tuple(prompt.tokens.shape), ranges.text(), runtime.processor
    )
    store = ArtefactStore.open(cache / "openvino", key) if small and cache else None
    time_ids = _time_ids(model, size)
    unet = GraphUNet(runtime, unet_module, shape, prompt, time_ids=time_ids, ranges=ranges.unet, store=store)
    autoencoder = GraphAutoencoder(runtime, Autoencoder(autoencoder_module), shape, ranges.autoencoder, store)
    autoencoder.prepare()
    if small:
        unet.prepare()
    _tell_another_format(model, settings, runtime.processor.precision)
    # Leave the cores to the graphs: torch's threads spin for some milliseconds after each call.
    return Networks(unet, autoencoder, runtime.processor.precision, torch_threads=1)


def _ranges(model: Model, settings: DiffusionSettings) -> ModelRanges | None:
    """Return what int8 needs to know, if it is known of these very weights. Raises Unavailable if int8 must be."""
    obstacle = None
    if model.ranges is None:
        obstacle = f"this model brings no {FILE}"
    elif settings.loras:
        obstacle = "a LoRA changes its weights"
    if settings.dtype == "int8" and obstacle is not None:
        raise Unavailable(f"engine.dtype: int8 cannot be had: {obstacle}; use auto")
    return model.ranges if obstacle is None else None


def _tell_another_format(model: Model, settings: DiffusionSettings, dtype: str) -> None:
    """Say so where ControlNets or LoRAs leave `auto` another number format: it is seen in the picture, a little."""
    if settings.dtype != "auto" or settings.acceleration not in ("auto", "openvino"):
        return
    plain = settings.model_copy(update={"controlnets": {}, "loras": {}})
    if _takes_guidance(model) or find_obstacle(plain, model.device) is not None:
        return
    from sdstream.engine.openvino.runtime import capabilities, choose_precision

    without = choose_precision("auto", capabilities(), int8=model.ranges is not None)
    if dtype != without:
        because = find_obstacle(settings, model.device) or "a LoRA changes the weights that int8 would round"
        log.warning("ControlNets or LoRAs change the number format", dtype=dtype, without=without, because=because)


def _takes_guidance(model: Model) -> bool:
    return bool(model.unet.config.get("time_cond_proj_dim"))


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _time_ids(model: Model, size: Size) -> Tensor | None:
    width, height = size
    return torch.tensor([height, width, 0, 0, height, width], device=model.device) if model.wants_size else None
