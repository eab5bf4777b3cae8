"""The published flicker figures on a clip: each method's E_warp, likeness and cost, and the solvers' errors."""

import functools
import itertools
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from sdstream.bench.flicker.averages import FlowMean, PlainMean
from sdstream.bench.flicker.fixed_omega import MeasuredStabiliser
from sdstream.bench.flicker.synthetic import KnownMotion, Scene
from sdstream.config.stabilise import StabiliseSettings
from sdstream.errors import Unavailable
from sdstream.frame import Pixels
from sdstream.stabilise.motion import agreement, dense_flow, grid, warp

Method = Callable[[Pixels, Pixels], Pixels]
Style = Callable[[Pixels], tuple[Pixels, Pixels | None]]
"""Restyles a picture: (restyled picture, flicker-free restyled picture or None if unknown)."""

STEADINESS = 0.8
SETTLED = 100
"""Number of last frames for comparing the solvers' errors: the learner knows the clip by then."""


@dataclass
class Score:
    """Sums over a clip for a method."""

    name: str
    squares: float = 0.0
    points: int = 0
    likeness: list[float] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    @property
    def e_warp(self) -> float:
        """RMS of O_t - warp(O_{t-1}) over points seen in both frames, grey levels."""
        return math.sqrt(self.squares / self.points) if self.points else math.nan

    @property
    def psnr(self) -> float:
        """Mean PSNR to the flicker-free style, dB; NaN when the flicker-free style is unknown."""
        return float(np.mean(self.likeness)) if self.likeness else math.nan

    @property
    def error(self) -> float:
        """RMS distance of the last solves from the exact solutions, grey levels; NaN for methods without a solve."""
        return float(np.sqrt(np.mean(np.square(self.errors[-SETTLED:])))) if self.errors else math.nan

    @property
    def cost(self) -> float:
        """Median CPU seconds a frame."""
        return float(np.median(self.seconds)) if self.seconds else 0.0


@dataclass(frozen=True)
class PictureBench:
    """The outcome: one score for each method, and the last pictures of each method for a contact sheet."""

    frames: int
    scores: list[Score]
    samples: dict[str, list[Pixels]]


def compare(shots: Iterator[tuple[Pixels, KnownMotion | None]], style: Style, sweeps: int, side: int) -> PictureBench:
    """Run every method over `shots`: pairs of camera picture and motion back to the picture before.

    A motion of None is estimated from the camera pictures.
    """
    methods, solvers = _methods(sweeps, side)
    scores = {name: Score(name) for name in methods}
    old: dict[str, Pixels] = {}
    samples: dict[str, list[Pixels]] = {name: [] for name in methods}
    camera_before: Pixels | None = None
    frames = 0
    for camera, known in shots:
        styled, clean = style(camera)
        frames += 1
        motion = known if known or camera_before is None else _measured(camera, camera_before)
        for name, method in methods.items():
            begin = time.process_time()
            new = method(camera, styled)
            scores[name].seconds.append(time.process_time() - begin)
            if name in solvers and solvers[name].last.fused:
                scores[name].errors.append(solvers[name].solve_error())
            if motion is not None and name in old:
                _score(scores[name], new, old[name], motion, clean)
            old[name] = new
            samples[name] = [*samples[name][-2:], new]
        camera_before = camera
    return PictureBench(frames, list(scores.values()), samples)


def clip_shots(path: Path, side: int, frames: int) -> Iterator[tuple[Pixels, None]]:
    """Yield up to `frames` square camera pictures from the middle of a clip. Raises Unavailable."""
    capture = cv2.VideoCapture(str(path))
    try:
        for k in itertools.count():
            read, picture = capture.read()
            if not read and k == 0:
                raise Unavailable(f"no picture could be read from {path}; try: ffprobe {path}")
            if not read or k == frames:
                return
            yield _square(picture, side), None
    finally:
        capture.release()


def scene_shots(scene: Scene, frames: int) -> Iterator[tuple[Pixels, KnownMotion]]:
    """Yield frames of the synthetic scene with their true motion."""
    for t in range(frames):
        yield scene.frame(t), scene.motion(t)


def contact_sheet(bench: PictureBench, path: Path) -> None:
    """Write the last pictures of every method, a row each. Raises Unavailable if the format is unknown."""
    rows = [np.hstack([_labelled(picture, name) for picture in row]) for name, row in bench.samples.items()]
    try:
        cv2.imwrite(str(path), cv2.cvtColor(np.vstack(rows), cv2.COLOR_RGB2BGR))
    except cv2.error as error:
        raise Unavailable(f"cannot write {path}: {error.err}; expected a name such as sheet.png") from error


def _methods(sweeps: int, side: int) -> tuple[dict[str, Method], dict[str, MeasuredStabiliser]]:
    settings = StabiliseSettings(sweeps=sweeps)
    solvers = {
        "fusion, w = 1": MeasuredStabiliser(settings, omega=1.0),
        "fusion, w = 1.5": MeasuredStabiliser(settings, omega=1.5),
        "fusion, w learned": MeasuredStabiliser(settings),
        "fusion, exact": MeasuredStabiliser(StabiliseSettings(sweeps=256), omega=1.9),
    }
    methods: dict[str, Method] = {
        "raw": lambda _, styled: styled,
        "mean": PlainMean(STEADINESS),
        "flow mean": FlowMean(STEADINESS, side),
    }
    methods.update({name: functools.partial(solver, steadiness=STEADINESS) for name, solver in solvers.items()})
    return methods, {name: solver for name, solver in solvers.items() if name != "fusion, exact"}


def _score(score: Score, new: Pixels, old: Pixels, motion: KnownMotion, clean: Pixels | None) -> None:
    difference = new.astype(np.float32) - warp(old.astype(np.float32), motion.position)
    score.squares += float(np.sum(np.square(difference), where=motion.seen[..., None]))
    score.points += 3 * int(np.count_nonzero(motion.seen))
    if clean is not None:
        score.likeness.append(float(cv2.PSNR(new, clean)))


def _measured(camera: Pixels, before: Pixels) -> KnownMotion:
    """Return the motion by a better flow than the stabiliser's; a point is seen if forward and backward flow agree."""
    new, old = cv2.cvtColor(camera, cv2.COLOR_RGB2GRAY), cv2.cvtColor(before, cv2.COLOR_RGB2GRAY)
    flow = dense_flow(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    backward, forward = flow.calc(new, old, None), flow.calc(old, new, None)
    position = backward + grid(*new.shape)
    round_trip = np.linalg.norm(backward + warp(forward, position), axis=-1)
    return KnownMotion(position, (round_trip < 1.0) & (agreement(camera, before, position) > 0.5))


def _square(picture: np.ndarray, side: int) -> Pixels:
    height, width = picture.shape[:2]
    size = min(height, width)
    top, left = (height - size) // 2, (width - size) // 2
    middle = picture[top : top + size, left : left + size]
    interpolation = cv2.INTER_AREA if size >= side else cv2.INTER_CUBIC
    return np.asarray(cv2.cvtColor(cv2.resize(middle, (side, side), interpolation=interpolation), cv2.COLOR_BGR2RGB))


def _labelled(picture: Pixels, name: str) -> Pixels:
    copy = picture.copy()
    cv2.putText(copy, name, (6, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 3)
    cv2.putText(copy, name, (6, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 255), 1)
    return copy
