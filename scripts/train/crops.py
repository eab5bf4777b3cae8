"""Random cuttings of kept pictures, as tensors."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scripts.train.cache import SIDE


def to_tensor(pictures: NDArray[np.uint8], device: torch.device) -> Tensor:
    """Pictures [n, h, w, 3] to [n, 3, h, w] in -1..1."""
    tensor = torch.from_numpy(np.ascontiguousarray(pictures)).to(device)
    return tensor.permute(0, 3, 1, 2).float().div_(127.5).sub_(1).contiguous(memory_format=torch.channels_last)


@dataclass(frozen=True)
class Place:
    """Where a cutting lies in a kept picture."""

    photo: int
    top: int
    left: int
    side: int
    flipped: bool

    def cut(self, targets: NDArray[np.uint8], kind: int) -> NDArray[np.uint8]:
        """Return the cutting of the photo (kind 0) or of one of its looks (1 and on).  # [side, side, 3]"""
        piece = targets[self.photo, kind, self.top : self.top + self.side, self.left : self.left + self.side]
        return piece[:, ::-1] if self.flipped else piece


def somewhere(dice: np.random.Generator, photos: Sequence[int], side: int) -> Place:
    """Choose a cutting at random."""
    top, left = (int(n) for n in dice.integers(0, SIDE - side + 1, 2))
    return Place(int(dice.choice(photos)), top, left, side, bool(dice.random() < 0.5))


def beside(dice: np.random.Generator, place: Place, most: int = 4, unit: int = 8) -> tuple[Place, int, int]:
    """Move a cutting by whole latents, up to `most` of them; return it, and how far right and down in latents."""
    room = SIDE - place.side
    down = int(np.clip(dice.integers(-most, most + 1), -(place.top // unit), (room - place.top) // unit))
    right = int(np.clip(dice.integers(-most, most + 1), -(place.left // unit), (room - place.left) // unit))
    moved = Place(place.photo, place.top + down * unit, place.left + right * unit, place.side, place.flipped)
    return moved, -right if place.flipped else right, down
