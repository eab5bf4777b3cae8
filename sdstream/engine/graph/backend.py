"""A frame as a single CUDA graph, as a backend."""

from dataclasses import replace

import torch

from sdstream.config.engine import DiffusionSettings
from sdstream.engine.eager import backend as eager
from sdstream.engine.graph.batches import GraphBatches
from sdstream.engine.graph.capture import recorder
from sdstream.engine.networks import Job, Networks, without_additions
from sdstream.errors import Unavailable, reason

number_format = eager.number_format
weights_dtype = eager.weights_dtype


def obstacle(settings: DiffusionSettings, device: torch.device) -> str | None:
    """Return why no frame can be a single graph, or None. `auto` asks for CUDA, and a name runs on any device."""
    if addition := without_additions(settings):
        return addition
    if not settings.batching:
        return "runs Stream Batch only (set engine.batching: true)"
    if not settings.prompt_cache:
        return "always keeps the prompt's keys and values (set engine.prompt_cache: true)"
    if settings.acceleration == "auto" and device.type != "cuda":
        return f"gains nothing without CUDA, and the model runs on {device.type} (set engine.device: cuda)"
    return eager.obstacle(settings, device)


def make(job: Job) -> Networks:
    """Make the networks, and record a first frame on CUDA. Raises Unavailable for a model that cannot be recorded."""
    batches = GraphBatches(job, recorder(job.model.device))
    try:
        batches.try_recording()
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        raise Unavailable(
            f"engine.acceleration: graph: CUDA cannot record a frame of this model: {reason(error)}; use "
            "engine.acceleration: auto or eager"
        ) from error
    return replace(batches.apart, batches=batches)
