"""Turns a picture into the input of CLIP's image encoder, as the encoder's `preprocessor_config.json` says."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from sdstream.engine.weights.component import loading
from sdstream.engine.weights.files import read_config
from sdstream.frame import Pixels

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
"""CLIP's normalisation by channel, for pixels from 0 to 1."""

_FILTERS = {method.value: method for method in Image.Resampling}
"""By Pillow's number."""


@dataclass(frozen=True, eq=False)
class View:
    """From a picture to the encoder's input, by the rules of transformers' CLIPImageProcessor."""

    size: tuple[int, int] | int
    """(height, width), or the shorter side."""
    crop: tuple[int, int] | None
    """(height, width) from the middle; None without a crop."""
    resampling: Image.Resampling
    factor: Tensor  # [3, 1, 1]
    offset: Tensor  # [3, 1, 1]

    @classmethod
    def of(cls, folder: Path, side: int) -> "View":
        """Read `preprocessor_config.json`, if there; the encoder takes `side` pixels. Raises Unavailable."""
        file = folder / "preprocessor_config.json"
        config = read_config(file, "image encoder") if file.is_file() else {}
        with loading(f"image encoder: {file}"):
            view = cls._from(config, side)
            if view(np.zeros((side, 2 * side, 3), np.uint8)).shape[-2:] != (side, side):
                raise ValueError(f"the pictures would not have the {side}x{side} pixels that the encoder takes")
        return view

    @classmethod
    def _from(cls, config: Mapping[str, Any], side: int) -> "View":  # JSON
        for key, needed in (("do_resize", True), ("do_convert_rgb", True), ("do_pad", False)):
            if bool(config.get(key, needed)) != needed:
                raise ValueError(f"sdstream cannot apply {key}: {config[key]}")
        size, crop = config.get("size", side), config.get("crop_size", side)
        scale = float(config.get("rescale_factor", 1 / 255)) if config.get("do_rescale", True) else 1.0
        normal = config.get("do_normalize", True)
        mean, std = (config.get("image_mean", MEAN), config.get("image_std", STD)) if normal else ([0.0] * 3, [1.0] * 3)
        factor, offset = (
            torch.tensor(values).reshape(3, 1, 1)
            for values in (
                [scale / float(part) for part in std],
                [float(m) / float(s) for m, s in zip(mean, std, strict=True)],
            )
        )
        if not torch.isfinite(factor + offset).all():
            raise ValueError("image_mean and image_std: expected finite numbers, and no 0 in image_std")
        resample = config.get("resample", 3)
        if resample not in _FILTERS:
            raise ValueError(f"sdstream cannot apply resample: {resample}")
        cropped = _pair(crop) if config.get("do_center_crop", True) else None
        return cls(_edge(size), cropped, _FILTERS[resample], factor, offset)

    def __call__(self, pixels: Pixels) -> Tensor:
        """Return the encoder's input.  # [1, 3, height, width] on the CPU"""
        height, width = pixels.shape[:2]
        if isinstance(self.size, int):
            short = min(height, width)
            size = int(self.size * height / short), int(self.size * width / short)
        else:
            size = self.size
        # CLIP was trained with Pillow's filters; other libraries' filters give other embeddings.
        resized = Image.fromarray(pixels).resize((size[1], size[0]), self.resampling)
        x = torch.from_numpy(np.array(resized)).permute(2, 0, 1).unsqueeze(0).float()  # [1, 3, h, w]
        if self.crop is not None:
            top, left = ((edge - wanted) // 2 for edge, wanted in zip(size, self.crop, strict=True))
            x = x[..., top : top + self.crop[0], left : left + self.crop[1]]
        return x * self.factor - self.offset


def _edge(size: Any) -> tuple[int, int] | int:  # JSON
    if isinstance(size, dict):
        return int(size["shortest_edge"]) if "shortest_edge" in size else _pair(size)
    return int(size)


def _pair(size: Any) -> tuple[int, int]:  # JSON
    return (int(size["height"]), int(size["width"])) if isinstance(size, dict) else (int(size), int(size))
