"""Turns a picture into the input of a depth or segmentation model, as the model's `preprocessor_config.json` says."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import torch
from torch import Tensor

from sdstream.engine.weights.component import loading
from sdstream.engine.weights.files import read_config
from sdstream.frame import Pixels

BICUBIC = 3
"""Pillow's number of the bicubic filter in `resample`."""

_UNSUPPORTED = ("do_center_crop", "do_pad", "do_flip_channel_order")


class Preprocessor:
    """The size, the scale and the normalisation of a model's input."""

    def __init__(self, folder: Path, what: str, side: int, device: torch.device) -> None:
        """Read the config of the model `what`; `side` is the input's side in pixels for a config without a size.

        A model without a config takes pixels from -1 to 1. Raises Unavailable for a config without sense, and for a
        field that cannot be applied.
        """
        file = folder / "preprocessor_config.json"
        self._config = read_config(file, what) if file.is_file() else {}
        self._side = side
        self._enlarge = cv2.INTER_CUBIC if self._config.get("resample") == BICUBIC else cv2.INTER_LINEAR
        with loading(f"{what}: {file}"):
            if unsupported := [key for key in _UNSUPPORTED if self._config.get(key)]:
                raise ValueError(f"sdstream cannot apply {unsupported[0]}")
            input_size(self._config, side, (1920, 1080))  # an error belongs here, and not on air
            factor, offset = _normalisation(self._config)
            self._factor, self._offset = (torch.tensor(values, device=device) for values in (factor, offset))
            if self._factor.shape != (3,) or not torch.isfinite(self._factor + self._offset).all():
                raise ValueError("image_mean and image_std: expected three finite numbers each, and no 0 in image_std")

    def __call__(self, pixels: Pixels) -> Tensor:
        """Return the model's input for a picture.  # [1, 3, h, w]"""
        height, width = pixels.shape[:2]
        size = input_size(self._config, self._side, (width, height))
        shrinks = size[0] <= width and size[1] <= height
        resized = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if shrinks else self._enlarge)
        x = torch.from_numpy(resized).to(self._factor) * self._factor - self._offset
        return x.permute(2, 0, 1).unsqueeze(0)


def input_size(config: Mapping[str, Any], side: int, picture: tuple[int, int]) -> tuple[int, int]:  # JSON
    """Return (width, height) of the input for a picture of (width, height), by the rules of transformers.

    `side` is used without a size in the config. Raises ValueError or TypeError for a config without sense.
    """
    size, divisor = config.get("size"), config.get("size_divisor")
    if not config.get("do_resize", True):
        return picture
    if size is None and divisor is not None:  # GLPN: the picture's own size, down to a multiple
        width, height = (max(1, edge // int(divisor)) * int(divisor) for edge in picture)
        return _checked(width, height)
    sides = size if isinstance(size, dict) else {"width": size or side, "height": size or side}
    if "shortest_edge" in sides:
        scale = int(sides["shortest_edge"]) / min(picture)
        return _checked(int(picture[0] * scale), int(picture[1] * scale))
    wanted = int(sides.get("width", side)), int(sides.get("height", side))
    if not config.get("keep_aspect_ratio") and not config.get("ensure_multiple_of"):
        return _checked(*wanted)
    scales = [edge / own for edge, own in zip(wanted, picture, strict=True)]
    if config.get("keep_aspect_ratio"):  # DPT: the side with the smaller change decides
        scales = [min(reversed(scales), key=lambda scale: abs(1 - scale))] * 2
    multiple = int(config.get("ensure_multiple_of") or 1)
    width, height = (round(own * scale / multiple) * multiple for own, scale in zip(picture, scales, strict=True))
    return _checked(width, height)


def _checked(width: int, height: int) -> tuple[int, int]:
    if min(width, height) < 1:
        raise ValueError(f"the size gives an input of {width}x{height}: expected at least a pixel")
    return width, height


def _normalisation(config: Mapping[str, Any]) -> tuple[list[float], list[float]]:  # JSON
    """Return factor and offset by channel: the input is the pixel times the factor, minus the offset."""
    scale = float(config.get("rescale_factor", 1 / 255)) if config.get("do_rescale", True) else 1.0
    kind = str(config.get("image_processor_type") or config.get("feature_extractor_type") or "")
    if not config.get("do_normalize", not kind.startswith("GLPN")):  # GLPN takes pixels from 0 to 1
        return [scale] * 3, [0.0] * 3
    mean, std = config.get("image_mean") or [0.5] * 3, config.get("image_std") or [0.5] * 3
    pairs = list(zip(mean, std, strict=True))
    return [scale / float(deviation) for _, deviation in pairs], [float(mean) / float(std) for mean, std in pairs]
