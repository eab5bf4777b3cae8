"""Pictures and the targets of all looks, painted once and kept on disk; an interrupted run resumes."""

import csv
import io
import random
import tarfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from scripts.train.looks import LOOKS
from scripts.train.procedural import Picture
from scripts.train.teacher import Teacher

SIDE = 256
"""Side of a stored picture in pixels, as in the pack."""

MOST = {"Caltech-101": 170, "endless-sky-data": 150, "Tears": 110, "Intel": 70}
"""Largest number of pictures from the large groups: pictures of a group are much alike."""

FIRST = 32
"""Number of held-out pictures painted first."""

UNSEEN = ("His", "opencv", "skimage", "palapeli", "Big")
"""Groups held out entirely; from the remaining groups every tenth run of ten pictures is held out."""


@dataclass(frozen=True)
class Photo:
    """A picture of the pack."""

    file: str
    group: str
    licence: str
    attribution: str
    held_out: bool


def photos(pack: Path, seed: int = 0) -> list[Photo]:
    """Choose pictures from the pack's manifest: training pictures, then held-out pictures, each in a fixed order."""
    with tarfile.open(pack) as tar:
        manifest = tar.extractfile("photos/MANIFEST.csv")
        assert manifest is not None
        rows = list(csv.DictReader(io.TextIOWrapper(manifest)))
    groups: dict[str, list[Photo]] = {}
    for row in rows:
        group = row["source"].split("/")[0].split(" ")[0]
        index = len(groups.setdefault(group, []))
        # Neighbours show the same person or shot, so runs of ten pictures are held out, not single pictures.
        held_out = group in UNSEEN or index // 10 % 10 == 9
        groups[group].append(Photo(row["file"], group, row["licence"], row["attribution"], held_out))
    rng = random.Random(seed)  # noqa: S311 - not for secrets
    chosen = []
    for group, members in groups.items():
        rng.shuffle(members)
        chosen += members[: MOST.get(group, len(members))]
    rng.shuffle(chosen)
    return sorted(chosen, key=lambda photo: photo.held_out)


class Cache:
    """Targets on disk: uint8 [photos, 1 + looks, 256, 256, 3]; target 0 of each photo is the photo itself."""

    def __init__(self, pack: Path, folder: Path) -> None:
        self.pack = pack
        self.photos = photos(pack)
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        shape = (len(self.photos), 1 + len(LOOKS), SIDE, SIDE, 3)
        path = folder / f"targets-{len(LOOKS)}.npy"
        if not path.exists():
            np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape).flush()
        self.targets: NDArray[np.uint8] = np.lib.format.open_memmap(path, mode="r+")
        if self.targets.shape != shape:
            raise SystemExit(
                f"{path} has shape {self.targets.shape}: expected {shape}; delete the file and paint again"
            )

    def ready(self, *, held_out: bool) -> list[int]:
        """Return the indices of the photos with all targets painted."""
        return [
            i
            for i, photo in enumerate(self.photos)
            if photo.held_out == held_out and (self._folder / f"{i}.ok").exists()
        ]

    def fill(self, jobs: int) -> None:
        """Paint the missing targets. Some held-out pictures come first, for measurements on an unfinished cache."""
        held_out = [i for i, photo in enumerate(self.photos) if photo.held_out]
        order = [*held_out[:FIRST], *range(held_out[0]), *held_out[FIRST:]]
        missing = [i for i in order if not (self._folder / f"{i}.ok").exists()]
        with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
            chunks = [missing[i : i + 8] for i in range(0, len(missing), 8)]
            for done in pool.map(_paint, [(self.pack, self._folder, chunk) for chunk in chunks]):
                for i in done:
                    (self._folder / f"{i}.ok").touch()
                painted = len(list(self._folder.glob("*.ok")))
                print(f"painted {painted} of {len(self.photos)}", flush=True)


def _paint(task: tuple[Path, Path, list[int]]) -> list[int]:
    pack, folder, numbers = task
    cv2.setNumThreads(1)
    cache, teacher = Cache(pack, folder), Teacher()
    with tarfile.open(pack) as tar:
        for i in numbers:
            photo = read(tar, cache.photos[i].file)
            cache.targets[i, 0] = photo
            for k, look in enumerate(LOOKS, start=1):
                cache.targets[i, k] = look.target(photo, teacher)
    return numbers


def read(tar: tarfile.TarFile, name: str) -> Picture:
    """Read a picture of the pack, and cut out the middle square, 256x256."""
    file = tar.extractfile(name)
    assert file is not None
    image = cv2.imdecode(np.frombuffer(file.read(), np.uint8), cv2.IMREAD_COLOR)
    scale = SIDE / min(image.shape[:2])
    size = (max(SIDE, round(image.shape[1] * scale)), max(SIDE, round(image.shape[0] * scale)))
    image = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    top, left = (image.shape[0] - SIDE) // 2, (image.shape[1] - SIDE) // 2
    return np.ascontiguousarray(cv2.cvtColor(image[top : top + SIDE, left : left + SIDE], cv2.COLOR_BGR2RGB))
