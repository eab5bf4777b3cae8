"""Random crops of stored pictures, and pictures as tensors."""

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
class Crop:
    """Position and size of a crop in a stored picture, pixels."""

    photo: int
    top: int
    left: int
    side: int
    flipped: bool

    def cut(self, targets: NDArray[np.uint8], kind: int) -> NDArray[np.uint8]:
        """Return the crop of the photo (kind 0) or of the photo in a look (1 and on).  # [side, side, 3]"""
        piece = targets[self.photo, kind, self.top : self.top + self.side, self.left : self.left + self.side]
        return piece[:, ::-1] if self.flipped else piece


def random_crop(rng: np.random.Generator, photos: Sequence[int], side: int) -> Crop:
    """Choose a crop at random."""
    top, left = (int(n) for n in rng.integers(0, SIDE - side + 1, 2))
    return Crop(int(rng.choice(photos)), top, left, side, bool(rng.random() < 0.5))
