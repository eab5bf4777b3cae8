"""`tuning.UNTRUSTED`: the share of the mean screening with the best omega for a fusion."""

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from sdstream.bench.constants.finding import ConstantFinding
from sdstream.bench.constants.footage import SIDE, clips, pictures
from sdstream.bench.flicker.stand_in import StandInStyle
from sdstream.controls import STEADINESS
from sdstream.frame import Pixels
from sdstream.relax.red_black import RedBlack
from sdstream.stabilise.cuts import CutDetector
from sdstream.stabilise.fusion import System, fusion_system
from sdstream.stabilise.motion import MotionFinder, warp
from sdstream.stabilise.planes import planes_of
from sdstream.stabilise.tuning import UNTRUSTED, stretched
from sdstream.stabilise.weights import weights

SWEEPS = 16
"""Sweeps a frame at 256 pixels, the product's default."""

SHARES = np.linspace(0.1, 1.2, 23)
"""The tried shares of the mean screening; the omega of a share has the stretch sqrt(share)."""

_EXACT = 300  # sweeps after which the solution counts as exact
_FIRST, _EVERY, _COUNT = 5, 10, 6  # measured fusions of a clip: index of the first, interval, and number


def fusions(shown: Iterable[Pixels], steadiness: float) -> Iterator[System]:
    """Yield the fusion of every picture with the picture before, both (SIDE, SIDE, 3), under the stand-in style."""
    finder, cuts, style = MotionFinder(SIDE, SIDE, SIDE), CutDetector(), StandInStyle()
    solver, held = RedBlack(SIDE, SIDE, 3), None
    for camera in shown:
        planes, motion = planes_of(style(camera)[0]), finder(camera)
        if held is None or motion is None or cuts(motion):
            held = planes
            continue
        warped = np.stack([warp(plane, motion.position) for plane in held])
        system = fusion_system(warped - planes, motion.trust, weights(steadiness, SIDE))
        yield system
        solver.load(system.c, system.b, system.guess)
        solver.sweep(1.8, 2 * SWEEPS)
        held = np.clip(planes + solver.x(), 0.0, 255.0)


def best_share(system: System) -> float:
    """Return the best share of the mean screening: nearest to the exact solution after `SWEEPS` sweeps."""
    (height, width), screening = system.c.shape, float(system.c.mean())
    solver = RedBlack(height, width, 3)
    solver.load(system.c, system.b, system.guess)
    solver.sweep(1.9, _EXACT)
    exact, errors = solver.x(), []
    for share in SHARES:
        solver.load(system.c, system.b, system.guess)
        solver.sweep(stretched(float(np.sqrt(share)), screening), SWEEPS)
        errors.append(float(np.mean((solver.x() - exact) ** 2)))
    return float(SHARES[int(np.argmin(errors))])


def measure(folder: Path, limit: int) -> list[ConstantFinding]:
    """Measure on the clips of a folder, at a light and a firm steadiness, with up to `limit` pictures each."""
    medians = {}
    for clip in clips(folder):
        shown = [picture.pixels for picture in pictures(clip, min(limit, _FIRST + _EVERY * _COUNT))]
        for name in ("light", "frozen"):
            picked = islice(fusions(shown, STEADINESS[name]), _FIRST, None, _EVERY)
            shares = [best_share(system) for system in picked]
            if shares:
                medians[f"{clip.stem}, {name}"] = float(np.median(shares))
    return [finding(medians)]


def finding(shares: dict[str, float]) -> ConstantFinding:
    """Compare the constant with the best share of each clip and steadiness."""
    low, high = (float(np.quantile(list(shares.values()), q)) for q in (0.1, 0.9))
    law = "the constant lies between the 10 % and the 90 % quantile of the clips' best shares"
    return ConstantFinding("tuning.UNTRUSTED", UNTRUSTED, shares, law, low <= UNTRUSTED <= high)
