"""Which way a model is run: what the settings name, or under `auto` the fastest way that can do all they ask for."""

from importlib.util import find_spec
from typing import Literal

import torch

from sdstream.config.engine import DiffusionSettings
from sdstream.errors import Unavailable
from sdstream.log import get_logger

log = get_logger()

Acceleration = Literal["eager", "compile", "openvino"]


def choose(settings: DiffusionSettings, device: torch.device) -> Acceleration:
    """Return what to run the model by; raises Unavailable if `openvino` is asked for and cannot be had."""
    if settings.acceleration in ("eager", "compile"):
        if settings.dtype == "int8":
            raise Unavailable("engine.dtype: int8 is for acceleration: openvino; use auto for one of the two")
        return settings.acceleration
    obstacle = find_obstacle(settings, device)
    if settings.acceleration == "openvino" and obstacle is not None:
        raise Unavailable(f"engine.acceleration: openvino cannot be had: {obstacle}; or use auto or eager")
    if settings.dtype == "int8" and obstacle is not None:
        raise Unavailable(f"engine.dtype: int8 is for OpenVINO, which cannot be had: {obstacle}; or use auto")
    chosen: Acceleration = "openvino" if obstacle is None else "eager"
    if settings.acceleration == "auto":
        log.info("acceleration chosen", acceleration=chosen, because=obstacle or "the model runs on the processor")
    return chosen


def find_obstacle(settings: DiffusionSettings, device: torch.device) -> str | None:
    """Return why OpenVINO cannot run a model as the settings want it, or None."""
    if device.type != "cpu":
        return f"it is for processors, and the model runs on {device.type} (engine.device: cpu)"
    if find_spec("openvino") is None:
        return "it is not installed: pip install 'sdstream[openvino]'"
    adjustable = [name for name, lora in settings.loras.items() if not lora.fuse]
    if adjustable:
        return f"LoRA {adjustable[0]!r} can be turned on air, and its graphs are fixed (fuse: true melts it in)"
    if settings.controlnets:
        return f"it runs no ControlNets, and engine.controlnets has {next(iter(settings.controlnets))!r}"
    if settings.dtype == "float16":
        return "it computes in float32, bfloat16 or int8, not in float16 (engine.dtype: auto)"
    if settings.dtype in ("bfloat16", "int8"):
        from sdstream.engine.openvino.runtime import computes_in

        if not computes_in(settings.dtype):
            return f"this processor does not compute in {settings.dtype} (engine.dtype: auto)"
    return None
