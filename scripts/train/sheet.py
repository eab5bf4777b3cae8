"""Draws the contact sheet: held-out pictures, and the model's output in every look."""

from pathlib import Path

import cv2
import numpy as np

from scripts.train.cache import Cache
from scripts.train.evaluate import ONE, controls_for, painter
from scripts.train.looks import NAMES
from scripts.train.procedural import Picture

SIDE = 256
TILE = 112
ACROSS = 8


def write(cache: Cache, model: Path, path: Path) -> None:
    """Write a PNG: for each of two held-out pictures the camera picture, and all looks by a single step."""
    numbers = cache.ready(held_out=True)
    chosen = [
        next((i for i in numbers if cache.photos[i].group == group), numbers[0]) for group in ("Caltech-101", "skimage")
    ]
    tiles: list[Picture] = []
    with painter(model, SIDE) as paints:
        for i in chosen:
            picture = np.array(cache.targets[i, 0])
            tiles.append(_tile(picture, "camera"))
            tiles += [_tile(paints.paint(picture, controls_for(name, ONE)), name) for name in NAMES]
    rows = [np.concatenate(tiles[at : at + ACROSS], axis=1) for at in range(0, len(tiles), ACROSS)]
    sheet = np.concatenate(rows, axis=0)
    path.parent.mkdir(parents=True, exist_ok=True)
    from PIL import Image

    # A palette of 192 colours keeps the file small, without a visible difference at this size.
    Image.fromarray(sheet).quantize(192, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"{path}: {path.stat().st_size} bytes")


def _tile(picture: Picture, name: str) -> Picture:
    small = cv2.resize(picture, (TILE, TILE), interpolation=cv2.INTER_AREA)
    label = np.full((14, TILE, 3), 255, np.uint8)
    cv2.putText(label, name, (2, 11), cv2.FONT_HERSHEY_SIMPLEX, 0.36, (0, 0, 0), 1, cv2.LINE_AA)
    return np.concatenate([small, label]).astype(np.uint8)
