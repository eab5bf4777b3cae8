"""What `sdstream bench engine` and `bench paper` measure: tables of rows, each a mapping of column to value."""

import itertools
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch

from sdstream.config.engine_settings import DiffusionSettings
from sdstream.controls import Controls
from sdstream.engine.baseline import Baseline
from sdstream.engine.bench_models import make_model, second
from sdstream.engine.energy import Energy
from sdstream.engine.models import Model
from sdstream.engine.pixels import fit
from sdstream.engine.session import Session
from sdstream.engine.stopwatch import Stopwatch, Variant, in_turn
from sdstream.errors import Unavailable
from sdstream.frame import Pixels

Row = dict[str, str | float | int | None]

STEP_LISTS = {1: (32,), 2: (32, 45), 3: (18, 32, 45), 4: (10, 20, 32, 45), 5: (0, 10, 20, 32, 45)}
STEP_LISTS[10] = tuple(range(4, 50, 5))
GUIDED = ("none", "self_negative", "onetime_negative", "full")
STILL_ETA = 0.98


@dataclass(frozen=True)
class Bench:
    """A model and how long to measure it."""

    model_name: str
    model: Model
    settings: DiffusionSettings
    rounds: int = 5
    calls: int = 8

    @classmethod
    def of(cls, name: str, settings: DiffusionSettings, *, rounds: int, calls: int) -> "Bench":
        """Make or load the model; raises Unavailable."""
        return cls(name, make_model(name, settings), settings, rounds, calls)

    def player(self, frames: Sequence[Pixels], controls: Controls, **settings: object) -> "Player":
        """Return a fresh engine that takes its next frame, round and round, at each call."""
        return Player(self.session(**settings), frames, controls)

    def session(self, **settings: object) -> Session:
        """Return a fresh engine around the model."""
        return Session(self.model, self.settings.model_copy(update=settings), lambda: 0.0)

    def facts(self) -> Row:
        """Return what was measured, and on what."""
        device = self.model.device
        on_gpu = device.type == "cuda"
        return {
            "model": self.model_name,
            "size": f"{self.settings.width}x{self.settings.height}",
            "device": torch.cuda.get_device_name(device) if on_gpu else platform.processor() or "cpu",
            "dtype": str(self.model.unet.dtype).removeprefix("torch."),
            "threads": torch.get_num_threads(),
            "torch": torch.__version__,
            "gpu_bytes": torch.cuda.max_memory_allocated(device) if on_gpu else None,
        }

    def moving(self, count: int = 8) -> list[Pixels]:
        """Return pictures of something that moves by a twentieth of the width a frame."""
        base, step = self._scene(), self.settings.width // 20
        return [np.ascontiguousarray(np.roll(base, k * step, axis=1)) for k in range(count)]

    def still(self, count: int = 8) -> list[Pixels]:
        """Return pictures in which only the sensor's noise (two levels) changes."""
        base, dice = self._scene().astype(np.float32), np.random.default_rng(1)
        return [(base + dice.normal(0, 2, base.shape)).clip(0, 255).astype(np.uint8) for _ in range(count)]

    def clip(self, file: Path, count: int) -> list[Pixels]:
        """Return the first pictures of a video file, at the model's size; raises Unavailable."""
        import cv2

        video = cv2.VideoCapture(str(file))
        frames: list[Pixels] = []
        while len(frames) < count:
            there, frame = video.read()
            if not there:
                break
            frames.append(fit(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), self.settings.width, self.settings.height))
        video.release()
        if not frames:
            raise Unavailable(f"clip {file} is missing or has no picture that can be read")
        return frames

    def _scene(self) -> Pixels:
        import cv2

        coarse = np.random.default_rng(0).integers(40, 216, (9, 16, 3), dtype=np.uint8)
        size = (self.settings.width, self.settings.height)
        return cast(Pixels, cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC))

    def times(self, variants: Mapping[str, Variant]) -> dict[str, float]:
        """Return the median seconds a call of each variant, taken in turn."""
        return in_turn(variants, self.model.device, rounds=self.rounds, calls=self.calls)


class Player:
    """An engine at play."""

    def __init__(self, session: Session, frames: Sequence[Pixels], controls: Controls) -> None:
        self._session = session
        self._frames = itertools.cycle(frames)
        self._controls = controls

    def prepare(self) -> None:
        """Take the U-Net over from the other players."""
        self._session.unet.take_over()

    @torch.inference_mode()
    def __call__(self) -> object:
        """Restyle the next frame."""
        return self._session.call(next(self._frames), self._controls)


def controls(n: int, mode: str = "none", **more: object) -> Controls:
    """Return controls for n steps that render every frame."""
    guidance = {"mode": mode, "scale": 1.4, "delta": 0.5}
    fields = {"steps": STEP_LISTS[n], "guidance": guidance, "similarity": {"mode": "off"}} | more
    return Controls.model_validate(fields)


def modes(bench: Bench, steps: Sequence[int]) -> list[Row]:
    """Measure every guidance mode, and cross-frame attention, at each number of steps."""
    frames = bench.moving()
    rows: list[Row] = []
    for n in steps:
        kinds = {mode: controls(n, mode) for mode in GUIDED}
        kinds["cross_frame_attention"] = controls(n, cross_frame_attention=True)
        times = bench.times({kind: bench.player(frames, chosen) for kind, chosen in kinds.items()})
        for kind, chosen in kinds.items():
            rows.append({"n": n, "mode": kind, "rows": _unet_rows(bench, chosen, n), **_speed(times[kind])})
            rows[-1]["of_none"] = times[kind] / times["none"]
    return rows


def profile(bench: Bench, n: int, mode: str = "self_negative", frames: int = 40) -> list[Row]:
    """Split the time of a call into encoder, U-Net, decoder and the engine's own glue."""
    session = bench.session()
    watch = Stopwatch(bench.model.device)
    pictures, chosen = bench.moving(), controls(n, mode)
    with torch.inference_mode():
        for k in range(n + 3):
            session.call(pictures[k % len(pictures)], chosen)
        encoder, decoder = bench.model.autoencoder.encoder, bench.model.autoencoder.decoder
        for module, name in ((encoder, "encoder"), (bench.model.unet, "unet"), (decoder, "decoder")):
            watch.wrap(module, "forward", name)
        try:
            began = watch.now()
            for k in range(frames):
                session.call(pictures[k % len(pictures)], chosen)
            whole = watch.now() - began
        finally:
            for module in (encoder, bench.model.unet, decoder):
                del module.forward  # the class's own shows again
    parts = watch.seconds | {"glue": whole - sum(watch.seconds.values())}
    return [{"n": n, "part": name, "ms": 1e3 * t / frames, "share": t / whole} for name, t in parts.items()]


def table_1(bench: Bench, steps: Sequence[int] = (1, 2, 4, 10)) -> list[Row]:
    """Stream Batch against our sequential form and against diffusers' pipeline, fair and as the paper ran it."""
    frames = bench.moving()
    other = second(bench.model, bench.model_name, bench.settings)
    rows: list[Row] = []
    for n in steps:
        fair, paper = (Baseline(other, frames[0], STEP_LISTS[n], fair=fair) for fair in (True, False))
        times = bench.times(
            {
                "stream_batch": bench.player(frames, controls(n)),
                "sequential": bench.player(frames, controls(n), batching=False),
                "diffusers_fair": fair,
                "diffusers_paper": paper,
            }
        )
        ours = times["stream_batch"]
        milliseconds: Row = {f"{name}_ms": 1e3 * t for name, t in times.items()}
        rows.append({"n": n} | milliseconds | {f"vs_{name}": t / ours for name, t in list(times.items())[1:]})
    return rows


def table_2(bench: Bench, steps: Sequence[int] = (1, 2, 3, 4, 5)) -> list[Row]:
    """Residual guidance against classifier-free guidance."""
    frames = bench.moving()
    rows: list[Row] = []
    for n in steps:
        times = bench.times({mode: bench.player(frames, controls(n, mode)) for mode in GUIDED})
        milliseconds: Row = {f"{mode}_ms": 1e3 * t for mode, t in times.items()}
        rows.append(
            {"n": n}
            | milliseconds
            | {"full/self": times["full"] / times["self_negative"], "self/none": times["self_negative"] / times["none"]}
        )
    return rows


def ablation(bench: Bench, n: int = 4) -> list[Row]:
    """The whole engine on a still clip; without its similarity filter; and without each other part besides."""
    still = bench.still()
    whole = controls(n, "self_negative", similarity={"mode": "stochastic", "threshold": STILL_ETA})
    no_filter = controls(n, "self_negative")
    times = bench.times(
        {
            "all": bench.player(still, whole),
            "without similarity filter": bench.player(still, no_filter),
            "nor Stream Batch": bench.player(still, no_filter, batching=False),
            "nor residual guidance": bench.player(still, controls(n, "full")),
            "nor prompt cache": bench.player(still, no_filter, prompt_cache=False),
        }
    )
    return [{"engine": name, "ms": 1e3 * t, "of_all": t / times["all"]} for name, t in times.items()]


def similarity_filter(bench: Bench, frames: Sequence[Pixels], clip: str, n: int = 2) -> list[Row]:
    """What the filter saves on a clip: U-Net rows, and energy (GPU) or processor seconds, a shown frame."""
    used: dict[str, float] = {}
    rows: list[Row] = []
    for mode in ("off", "threshold", "stochastic"):
        session = bench.session()
        chosen = controls(n, "self_negative", similarity={"mode": mode, "threshold": STILL_ETA})
        with torch.inference_mode(), Energy(bench.model.device) as energy:
            for frame in frames:
                session.call(frame, chosen)
        used[mode] = energy.used / len(frames)
        rows.append({"clip": clip, "filter": mode, "n": n, "unet_rows": session.unet.rows / len(frames)})
        rows[-1] |= {energy.unit: used[mode], "saved": used["off"] / used[mode]}
    return rows


def _unet_rows(bench: Bench, chosen: Controls, n: int) -> int:
    session = bench.session()
    frame = bench.moving(1)[0]
    with torch.inference_mode():
        for _ in range(n):
            session.call(frame, chosen)
        before = session.unet.rows
        session.call(frame, chosen)
    return session.unet.rows - before


def _speed(seconds: float) -> Row:
    return {"ms": 1e3 * seconds, "fps": 1 / seconds}
