"""Measures the activation ranges of a finished model folder for int8, over all looks and strengths."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import nn

from scripts.train.cache import SIDE, Cache
from scripts.train.evaluate import controls_for, psnr
from scripts.train.looks import NAMES
from scripts.train.observer import Observer
from scripts.train.procedural import Picture
from sdstream.config.engine import DiffusionSettings
from sdstream.controls import Controls
from sdstream.engine.acceleration import open_model
from sdstream.engine.autoencoder import Autoencoder
from sdstream.engine.eager.unet import ConditionedUNet
from sdstream.engine.openvino.int8 import rounded
from sdstream.engine.session import Session
from sdstream.engine.weights.activation_ranges import FILE, ModelRanges, Ranges
from sdstream.frame import Frame

STEPS = ((25,), (32, 45), (10,), (4, 16), (40,))
"""Lists of steps for the measurements, from weak to strong, each for a different picture."""

FIRST = ("conv_in",)
"""Convolutions never rounded: the input convolution is small, and all further convolutions depend on the result."""

LEAST = 48.0
"""Lowest PSNR in dB between pictures with and without a single rounded convolution. A convolution with a lower PSNR is
not rounded."""

TRIED = 8
"""Number of pictures for the PSNR, each in a different look."""

Job = tuple[Picture, Controls]


def write(cache: Cache, model: Path) -> None:
    """Observe the convolutions while painting, and write the ranges of the harmless convolutions into the folder."""
    settings = DiffusionSettings(model=str(model), width=SIDE, height=SIDE, acceleration="eager", device="cpu")
    session = Session(open_model(settings), settings, lambda: 0.0)
    jobs = list(_jobs(cache))
    networks = session.unet, session.autoencoder
    assert isinstance(networks[0], ConditionedUNet)
    assert isinstance(networks[1], Autoencoder)
    unet, autoencoder = (network.module for network in networks)
    unet_observer, autoencoder_observer = Observer(unet, FIRST), Observer(autoencoder)
    with unet_observer.watching(), autoencoder_observer.watching():
        for job in jobs:
            _paint(session, job)
    few = jobs[:: len(jobs) // TRIED][:TRIED]
    harmless = ModelRanges(
        _harmless(session, few, unet, unet_observer.ranges),
        _harmless(session, few, autoencoder, autoencoder_observer.ranges),
    )
    (model / FILE).write_text(harmless.text() + "\n")


def _jobs(cache: Cache) -> Iterator[Job]:
    rng = np.random.default_rng(6)
    numbers = cache.ready(held_out=False)
    for name in (*NAMES, ""):
        for steps in STEPS:
            prompt = f"({name}:1.3)" if name and rng.random() < 0.3 else name
            yield np.array(cache.targets[rng.choice(numbers), 0]), controls_for(prompt, steps)


@torch.inference_mode()
def _paint(session: Session, job: Job) -> Picture:
    session.reset()
    picture, controls = job
    restyled = session.call(Frame(picture, 0, 0.0, 0.0), controls)
    rest = session.flush()
    done = rest[-1] if rest else restyled
    assert done is not None
    return done.pixels


def _harmless(
    session: Session, jobs: list[Job], module: nn.Module, ranges: Mapping[str, tuple[float, float]]
) -> Ranges:
    """Return the ranges of the convolutions with a PSNR of LEAST or more, each rounded alone."""
    harmless = {}
    exact = [_paint(session, job) for job in jobs]
    for name, bounds in ranges.items():
        with rounded(module, {name: bounds}):
            ratios = [psnr(picture, _paint(session, job)) for picture, job in zip(exact, jobs, strict=True)]
        ratio = float(np.mean(ratios))
        print(f"rounded: {name}: {ratio:.1f} dB{'' if ratio >= LEAST else ', will not be rounded'}", flush=True)
        if ratio >= LEAST:
            harmless[name] = bounds
    return harmless
