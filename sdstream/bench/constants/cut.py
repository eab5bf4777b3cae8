"""`similarity.CUT`: the similarity of pictures within a shot, and of pictures of different clips."""

from collections import deque
from collections.abc import Iterable
from itertools import combinations
from pathlib import Path

import numpy as np

from sdstream.bench.constants.finding import ConstantFinding
from sdstream.bench.constants.footage import ClipPicture, clips, most, pictures
from sdstream.engine.similarity import Reduced, SimilarityFilter, reduce, similarity

APART = 6
"""Distance in pictures of the two compared pictures of a shot: about the number of skips in a row."""

_EVERY = 30
"""Every 30th picture of a clip is compared with the pictures of the other clips."""


def within_shots(shown: Iterable[ClipPicture]) -> list[float]:
    """Return the similarity of each picture and the picture `APART` before, for pairs within a shot."""
    shot: deque[Reduced] = deque(maxlen=APART + 1)
    alike = []
    for picture in shown:
        if picture.cut:
            shot.clear()
        shot.append(reduce(picture.pixels))
        if len(shot) > APART:
            alike.append(similarity(shot[-1], shot[0]))
    return alike


def between(scenes: list[list[Reduced]]) -> list[float]:
    """Return the similarity of every two pictures of different scenes."""
    return [similarity(one, other) for a, b in combinations(scenes, 2) for one in a for other in b]


def measure(folder: Path, limit: int) -> list[ConstantFinding]:
    """Measure on the clips of a folder, up to `limit` pictures each. Raises Unavailable."""
    alike: dict[str, list[float]] = {}
    scenes = []
    for clip in clips(folder):
        shown = list(pictures(clip, limit))
        alike[clip.stem] = within_shots(shown)
        scenes.append([reduce(picture.pixels) for picture in shown[::_EVERY]])
    return [finding(alike, between(scenes))]


def finding(alike: dict[str, list[float]], unlike: list[float]) -> ConstantFinding:
    """Compare the constant with the similarities within the shots of each clip, and between clips."""
    cut, high = SimilarityFilter.CUT, float(np.quantile(unlike, 0.95))
    least = {name: min(values) for name, values in alike.items() if values}
    measured = {f"least over {APART} pictures of a shot, {name}": value for name, value in least.items()}
    measured |= {"between clips, 95 % are below": high, "between clips, largest": max(unlike)}
    holds = most(value > cut for value in least.values()) and high < cut
    law = "the similarity is above the constant within shots of 3 clips in 4, and below the constant between clips"
    return ConstantFinding("similarity.CUT", cut, measured, law, holds)
