"""A batch of recorded frames without a session, on any device."""

from collections.abc import Callable
from pathlib import Path

import torch

from sdstream.engine.acceleration import open_model
from sdstream.engine.adapters.controlnet import ControlNets
from sdstream.engine.adapters.image_prompt.ip_adapters import IpAdapters
from sdstream.engine.adapters.lora import Loras
from sdstream.engine.conditioning.condition import Condition, Embedding
from sdstream.engine.denoising.coefficients import Sampling
from sdstream.engine.denoising.guidance import RowGuidance
from sdstream.engine.denoising.schedule import Schedule
from sdstream.engine.denoising.stream_batch import Recipe
from sdstream.engine.graph.batches import GraphBatches
from sdstream.engine.graph.capture import Recorder, call_directly
from sdstream.engine.networks import Job
from tests.engine.denoising.reference import table
from tests.engine.pixel_engine import settings

STEPS = {1: (25,), 3: (10, 25, 40), 4: (10, 20, 30, 40)}


def job(folder: Path, device: str = "cpu", cache: Path | None = None) -> Job:
    chosen = settings(folder, acceleration="graph")
    model = open_model(chosen).copy()
    model.unet.to(device)
    model.autoencoder.to(device)
    empty = ControlNets({}, model.unet), Loras({}, {}), IpAdapters({}, model.unet)
    return Job(model, chosen, (64, 64), *empty, 1, cache)


def batches(folder: Path, device: str = "cpu", record: Recorder = call_directly) -> GraphBatches:
    return GraphBatches(job(folder, device), record)


def recipes(source: GraphBatches, n: int, mode: str, *, together: bool = False) -> Callable[[], Recipe[Condition]]:
    """Return a maker of recipes, each with prompts, noise and guidance of its own."""
    unet = source._job.model.unet
    xl = unet.config.addition_embed_type == "text_time"

    def embedding() -> Embedding:
        pooled = torch.randn(32).to(unet.device) if xl else None
        return Embedding(torch.randn(77, unet.config.cross_attention_dim).to(unet.device), pooled)

    def make() -> Recipe[Condition]:
        noise = torch.randn(n, 4, 8, 8).to(unet.device)
        sampling = Sampling(Schedule.of(table(), STEPS[n]), RowGuidance(mode, 1.5, 0.5), noise)
        return Recipe(sampling, Condition(embedding(), embedding()), together)

    return make
