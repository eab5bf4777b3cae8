"""Measures what int8 needs to know of a finished model folder, over all looks and strengths on trained pictures."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import nn

from scripts.train.cache import SIDE, Cache
from scripts.train.evaluate import asking, psnr
from scripts.train.looks import NAMES
from scripts.train.procedural import Picture
from sdstream.config.engine import DiffusionSettings
from sdstream.controls import Controls
from sdstream.engine.models import load
from sdstream.engine.openvino.int8 import rounded
from sdstream.engine.session import Session
from sdstream.engine.weights.activation_ranges import FILE, ModelRanges, Observer, Ranges
from sdstream.frame import Frame

STEPS = ((25,), (32, 45), (10,), (4, 16), (40,))
"""From a light touch to the strongest, each on a picture of its own."""

FIRST = ("conv_in",)
"""What sees the noisy latents: it is small, and what is rounded there is lost to all others."""

LEAST = 48.0
"""Lowest PSNR in dB between pictures with one convolution rounded and without: below it, it stays as it is."""

TRIED = 8
"""Pictures, each of another look, by which that is found."""

Job = tuple[Picture, Controls]


def write(cache: Cache, model: Path) -> None:
    """Paint, watch, and write into the folder what may be rounded."""
    settings = DiffusionSettings(model=str(model), width=SIDE, height=SIDE, acceleration="eager", device="cpu")
    loaded = load(settings)
    session = Session(loaded, settings, lambda: 0.0)
    jobs = list(_jobs(cache))
    unet, autoencoder = Observer(loaded.unet, FIRST), Observer(loaded.autoencoder)
    with unet.watching(), autoencoder.watching():
        for job in jobs:
            _paint(session, job)
    few = jobs[:: len(jobs) // TRIED][:TRIED]
    kept = ModelRanges(
        _harmless(session, few, loaded.unet, unet.ranges),
        _harmless(session, few, loaded.autoencoder, autoencoder.ranges),
    )
    (model / FILE).write_text(kept.text() + "\n")


def _jobs(cache: Cache) -> Iterator[Job]:
    dice = np.random.default_rng(6)
    numbers = cache.ready(held_out=False)
    for name in (*NAMES, ""):
        for steps in STEPS:
            prompt = f"({name}:1.3)" if name and dice.random() < 0.3 else name
            yield np.array(cache.targets[dice.choice(numbers), 0]), asking(prompt, steps)


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
    """Return the ranges of those convolutions that each alone may be rounded."""
    kept = {}
    exact = [_paint(session, job) for job in jobs]
    for name, ends in ranges.items():
        with rounded(module, {name: ends}):
            ratio = float(np.mean([psnr(one, _paint(session, job)) for one, job in zip(exact, jobs, strict=True)]))
        print(f"rounded: {name}: {ratio:.1f} dB{'' if ratio >= LEAST else ', left as it is'}", flush=True)
        if ratio >= LEAST:
            kept[name] = ends
    return kept
