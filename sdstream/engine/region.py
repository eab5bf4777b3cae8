"""Which part of the picture is restyled: a mask from a picture or a segmentation model, with a soft edge.

`Any` stands for transformers' modules, which publish no types.
"""

from pathlib import Path
from typing import Any, Protocol, Self, cast

import cv2
import numpy as np
import numpy.typing as npt
import torch

from sdstream.config.engine import DiffusionSettings
from sdstream.controls import Region
from sdstream.engine.weights.component import component
from sdstream.engine.weights.files import locate
from sdstream.errors import Unavailable
from sdstream.frame import Pixels

Mask = npt.NDArray[np.float32]
"""(height, width), 0..1; 1 is restyled."""


class Compose(Protocol):
    """Puts a restyled region into the camera picture without a rim (see `stabilise.region`)."""

    def __enter__(self) -> Self:
        """Begin."""
        ...

    def __exit__(self, *exc: object) -> None:
        """Keep what was learned; closing twice is harmless."""
        ...

    def __call__(self, live: Pixels, styled: Pixels, region: npt.NDArray[np.bool_]) -> Pixels:
        """Return `live` with `styled` where `region` (h, w) is true, the two made to meet at its rim."""
        ...


class Regions:
    """Masks for the modes that the settings make possible."""

    def __init__(self, settings: DiffusionSettings, device: torch.device, compose: Compose | None = None) -> None:
        self._compose = compose
        self._size = (settings.width, settings.height)
        self._picture = _read(settings.mask, self._size) if settings.mask else None
        self._people = People(settings.segmentation_model, device) if settings.segmentation_model else None

    def check(self, region: Region) -> None:
        """Raise Unavailable if the settings gave nothing to make this region of."""
        if region.edge == "seamless" and self._compose is None:
            raise Unavailable("controls.region.edge: seamless needs the stabiliser, which this engine was not given")
        if region.mode == "mask" and self._picture is None:
            raise Unavailable("controls.region.mode: mask needs engine.mask, a picture that is white where to restyle")
        if region.mode in ("person", "background") and self._people is None:
            raise Unavailable(
                f"controls.region.mode: {region.mode} needs engine.segmentation_model, "
                "a person segmentation model in transformers layout"
            )

    def apply(self, styled: Pixels, camera: Pixels, region: Region) -> Pixels:
        """Put the restyled part over the camera picture; both have the engine's size."""
        if region.mode == "everything":
            return styled
        if region.edge == "seamless" and self._compose is not None:
            return self._compose(camera, styled, self._mask(camera, region) > 0.5)
        mask = feather(self._mask(camera, region), region.feather)[..., None]
        mixed = camera + mask * (styled.astype(np.float32) - camera)
        return cast(Pixels, np.rint(mixed).astype(np.uint8))

    def _mask(self, camera: Pixels, region: Region) -> Mask:
        if region.mode == "mask":
            assert self._picture is not None
            return self._picture
        assert self._people is not None
        people = self._people(camera)
        return people if region.mode == "person" else 1 - people


def feather(mask: Mask, width: float) -> Mask:
    """Soften a mask's edge over `width`, a share of its height."""
    sigma = width * mask.shape[0] / 2
    if sigma < 0.3:
        return mask
    return cast(Mask, cv2.GaussianBlur(mask, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE))


def _read(file: Path, size: tuple[int, int]) -> Mask:
    picture = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)
    if picture is None:
        raise Unavailable(f"engine.mask: {file} is missing or no picture that can be read (PNG or JPEG)")
    return cast(Mask, cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.float32) / np.float32(255))


class People:
    """Where people are, by a semantic segmentation model whose labels include `person`."""

    SIDE = 256
    """Pixels that the model sees along each side."""

    def __init__(self, name: str, device: torch.device) -> None:
        from transformers import AutoModelForSemanticSegmentation

        folder = locate(name, "segmentation model")
        self._net: Any = component(AutoModelForSemanticSegmentation, folder, "segmentation model").to(device)
        self._device = device
        labels = {str(label).lower(): int(number) for number, label in self._net.config.id2label.items()}
        if "person" not in labels:
            raise Unavailable(f"segmentation model {folder} has no label `person`; it knows {', '.join(labels)}")
        self._person = labels["person"]

    @torch.inference_mode()
    def __call__(self, pixels: Pixels) -> Mask:
        """Return the share of each pixel that is a person."""
        small = cv2.resize(pixels, (self.SIDE, self.SIDE), interpolation=cv2.INTER_AREA)
        x = torch.from_numpy(small).to(self._device).permute(2, 0, 1).unsqueeze(0) / 127.5 - 1
        shares = self._net(x).logits.float().softmax(1)[0, self._person].cpu().numpy()
        height, width = pixels.shape[:2]
        return cast(Mask, cv2.resize(shares, (width, height), interpolation=cv2.INTER_LINEAR).clip(0, 1))
