"""The eager engine and the OpenVINO engine on the same model, and how far apart their pictures are."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from structlog.testing import capture_logs

from sdstream.config.engine import DiffusionSettings
from sdstream.controls import Controls
from sdstream.frame import Pixels
from tests.engine.pixel_engine import ALWAYS, PixelEngine, picture, settings

BUILDING = ("converting for openvino", "compiling for openvino")
"""The events of a start that builds the graphs anew."""
GPU = torch.device("cuda")


def pair(**more: object) -> list[DiffusionSettings]:
    """Return the settings of the eager engine and of the OpenVINO engine."""
    told = {"device": "cpu", "dtype": "float32", **more}
    return [DiffusionSettings.model_validate({**told, "acceleration": a}) for a in ("eager", "openvino")]


def scene(count: int, side: int) -> list[Pixels]:
    """Return pictures of one scene: a cut would keep the frames from looking at each other."""
    coarse = np.random.default_rng(0).integers(0, 256, (side // 16, side // 16, 3), dtype=np.uint8)
    base = coarse.repeat(16, axis=0).repeat(16, axis=1)
    return [np.roll(base, 2 * k, axis=1) for k in range(count)]


def psnr(a: Pixels, b: Pixels) -> float:
    """Return the peak signal-to-noise ratio of two pictures, in dB."""
    return float(10 * np.log10(255**2 / max(1e-9, np.mean((a.astype(float) - b.astype(float)) ** 2))))


def worst(engines: list[PixelEngine], frames: list[Pixels], shows: list[Controls]) -> float:
    """Return the lowest PSNR, in dB, between what two engines make of the same frames."""
    for engine in engines:
        engine.reset()
    rows = [[engine(*turn) for turn in zip(frames, shows, strict=True)] + engine.flush() for engine in engines]
    pairs = [(a, b) for a, b in zip(*rows, strict=True) if a is not None]
    assert len(pairs) == len(frames)
    return min(psnr(a, b) for a, b in pairs)


def open_once(model: Path, **more: object) -> tuple[Pixels, list[str]]:
    """Start an engine with OpenVINO; return its first picture, and the events that it logged."""
    with capture_logs() as logs, PixelEngine(settings(model, acceleration="openvino", **more)) as engine:
        result = engine(picture(0), Controls(steps=(30,), **ALWAYS))
    assert result is not None
    return result, [log["event"] for log in logs]


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until `condition` holds, for two minutes at most."""
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
