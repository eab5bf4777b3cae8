"""The workbench of `sdstream bench engine` and `sdstream bench paper`: a model, pictures, and running engines."""

import itertools
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import psutil
import torch

from sdstream.bench.engine.counting_unet import CountingUNet
from sdstream.bench.engine.random_models import make_model
from sdstream.bench.engine.stopwatch import Laps, Variant, in_turn
from sdstream.config.engine import DiffusionSettings
from sdstream.controls import Controls
from sdstream.engine import Restyled
from sdstream.engine.eager.unet import ConditionedUNet
from sdstream.engine.frames.latent_batch import LatentBatch
from sdstream.engine.graph.batch import GraphBatch
from sdstream.engine.models import Model
from sdstream.engine.networks import CORES
from sdstream.engine.session import Session
from sdstream.engine.size import Size, choose_size
from sdstream.errors import Unavailable
from sdstream.frame import Frame, Pixels
from sdstream.scaling import fit
from sdstream.system.user_folders import cache_folder

Row = dict[str, str | float | int | None]
"""A row of a table: a value by column."""

STEP_LISTS = {1: (32,), 2: (32, 45), 3: (18, 32, 45), 4: (10, 20, 32, 45), 5: (0, 10, 20, 32, 45)}
STEP_LISTS[10] = tuple(range(4, 50, 5))
LIMIT = 120.0
"""Seconds of a comparison, by default."""
GUIDED = ("none", "self_negative", "onetime_negative", "full")


@dataclass(frozen=True)
class Bench:
    """A model, and the length of a measurement."""

    model_name: str
    model: Model
    settings: DiffusionSettings
    laps: int = 40
    """Calls of each variant, at most."""
    limit: float = LIMIT
    """Seconds after which a comparison ends with fewer calls."""

    @classmethod
    def of(cls, name: str, settings: DiffusionSettings, *, laps: int) -> "Bench":
        """Make or load the model; raises Unavailable."""
        return cls(name, make_model(name, settings), settings, laps)

    def player(self, frames: Sequence[Pixels], controls: Controls, *, burst: int = 1, **settings: object) -> "Player":
        """Return a fresh engine with a cycle of `frames`: each call takes the next `burst` frames."""
        return Player(self.session(**settings), frames, controls, burst)

    def session(self, **settings: object) -> Session:
        """Return a fresh engine for the model; all engines share the weights."""
        return Session(self.model, self.settings.model_copy(update=settings), lambda: 0.0, cache=cache_folder())

    def copy_model(self) -> Model:
        """Return a second copy of the model, for a pipeline with changes to device or parts of the weights."""
        return make_model(self.model_name, self.settings)

    @property
    def threads(self) -> int:
        """CPU threads of an engine."""
        return self.settings.threads or CORES

    @property
    def size(self) -> Size:
        """Width and height in pixels; `auto` is square here."""
        return choose_size(self.settings.width, self.settings.height, (1, 1), self.model.side_multiple)

    def facts(self) -> Row:
        """Return the conditions of the measurement: model, size, device, versions and memory (MiB)."""
        device = self.model.device
        on_gpu = device.type == "cuda"
        return {
            "model": self.model_name,
            "size": "{}x{}".format(*self.size),
            "device": torch.cuda.get_device_name(device) if on_gpu else platform.processor() or "cpu",
            "weights": str(self.model.unet.dtype).removeprefix("torch."),
            "threads": self.threads,
            "torch": torch.__version__,
            "resident_mib": round(psutil.Process().memory_info().rss / 2**20),
            "gpu_mib": round(torch.cuda.max_memory_allocated(device) / 2**20) if on_gpu else None,
        }

    def moving(self, count: int = 8) -> list[Pixels]:
        """Return pictures of a scene in motion: a twentieth of the width a frame."""
        base, step = self._scene(), self.size[0] // 20
        return [np.ascontiguousarray(np.roll(base, k * step, axis=1)) for k in range(count)]

    def still(self, count: int = 8) -> list[Pixels]:
        """Return pictures of a still scene with sensor noise (standard deviation of two levels)."""
        base, dice = self._scene().astype(np.float32), np.random.default_rng(1)
        return [(base + dice.normal(0, 2, base.shape)).clip(0, 255).astype(np.uint8) for _ in range(count)]

    def clip(self, file: Path, count: int) -> list[Pixels]:
        """Return the first pictures of a video file, at the model's size; raises Unavailable."""
        import cv2

        video = cv2.VideoCapture(str(file))
        frames: list[Pixels] = []
        while len(frames) < count:
            success, frame = video.read()
            if not success:
                break
            frames.append(fit(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), *self.size))
        video.release()
        if not frames:
            raise Unavailable(f"clip {file}: no picture could be read; check the path, and play the file with ffplay")
        return frames

    def _scene(self) -> Pixels:
        import cv2

        coarse = np.random.default_rng(0).integers(40, 216, (9, 16, 3), dtype=np.uint8)
        return cast(Pixels, cv2.resize(coarse, self.size, interpolation=cv2.INTER_CUBIC))

    def times(self, variants: Mapping[str, Variant]) -> Laps:
        """Measure the variants call by call, in turn."""
        return in_turn(variants, self.model.device, laps=self.laps, limit=self.limit)


class Player:
    """A running engine with a cycle of frames."""

    def __init__(self, session: Session, frames: Sequence[Pixels], controls: Controls, burst: int = 1) -> None:
        self.session = session
        self._frames = itertools.cycle(frames)
        self._controls = controls
        self._burst = burst

    def warm_up(self) -> None:
        """Fill the batch, and make two further calls."""
        with torch.inference_mode():
            for _ in range(len(self._controls.steps) + 1):
                self._call()

    def _call(self) -> Restyled | None:
        return self.session.call(Frame(next(self._frames), 0, 0.0, 0.0), self._controls)

    def prepare(self) -> None:
        """Set the number of torch's threads to the best number for this engine."""
        torch.set_num_threads(self.session.torch_threads)

    @torch.inference_mode()
    def __call__(self) -> object:
        """Restyle the next frames; return the last result."""
        return [self._call() for _ in range(self._burst)][-1]


class UncachedPlayer(Player):
    """Computes prompt, keys and values, noise and coefficients anew for every call."""

    def __call__(self) -> object:
        """Clear all caches, and restyle the next frames."""
        session = self.session
        session.text.cache.clear()
        session.noise.cache.clear()
        if isinstance(session.unet, ConditionedUNet) and session.unet.prompt_cache:
            session.unet.prompt_cache.clear()
        if isinstance(session.batch, LatentBatch):
            session.batch.stream_batch.coefficients.clear()
        if isinstance(session.batch, GraphBatch):
            session.batch.forget()
        return super().__call__()


def controls(n: int, mode: str = "none", **more: object) -> Controls:
    """Return controls for n steps, with every frame rendered."""
    guidance = {"mode": mode, "scale": 1.4, "delta": 0.5}
    fields = {"steps": STEP_LISTS[n], "guidance": guidance, "similarity": {"mode": "off"}} | more
    return Controls.model_validate(fields)


def unet_rows(bench: Bench, chosen: Controls) -> int:
    """Return the number of U-Net rows in a call of a full batch."""
    player = bench.player(bench.moving(1), chosen)
    player.session.unet = counting = CountingUNet(player.session.unet)
    player.warm_up()
    before = counting.rows
    player()
    return counting.rows - before
