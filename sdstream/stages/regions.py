"""Restyles a part of the picture only: a mask from a picture or a segmentation model, with a soft or seamless edge."""

from pathlib import Path
from typing import TYPE_CHECKING, Self, cast

import cv2
import numpy as np

from sdstream.config.engine import AnyEngine, DiffusionSettings
from sdstream.config.stabilise import StabiliseSettings
from sdstream.controls import Region
from sdstream.errors import Unavailable
from sdstream.frame import Pixels
from sdstream.log import get_logger
from sdstream.stabilise.region import RegionComposite

if TYPE_CHECKING:
    from sdstream.engine.people import Mask, People

log = get_logger()


class Regions:
    """Puts the restyled part of a picture over the camera picture, in the region modes allowed by the settings."""

    def __init__(self, settings: AnyEngine, stabilise: StabiliseSettings) -> None:
        """The engine's `mask` and `segmentation_model` enable the modes. Raises Unavailable if either is broken."""
        self._composite = RegionComposite(stabilise)
        self._drawn: Mask | None = None
        self._fitted: Mask | None = None
        self._people: People | None = None
        self._logged: Region | None = None
        if isinstance(settings, DiffusionSettings):
            self._drawn = _read(settings.mask) if settings.mask else None
            self._people = _open_people(settings.segmentation_model, settings.device)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        """Save everything learned about seamless edges; closing twice is harmless."""
        self._composite.__exit__(*exc)

    def apply(self, styled: Pixels, camera: Pixels, region: Region, *, late: bool) -> Pixels:
        """Return `camera` with the restyled part of `styled` in place; both (h, w, 3).

        `late`: frames were dropped since the last call, so there is no time for experiments.
        """
        if region.mode == "everything" or not self._can_show(region):
            return styled
        mask = self._mask(camera, region)
        if region.edge == "seamless":
            return self._composite(camera, styled, mask > 0.5, late=late)
        soft = feather(mask, region.feather)[..., None]  # (h, w, 1)
        mixed = camera + soft * (styled.astype(np.float32) - camera)
        return cast(Pixels, np.rint(mixed).astype(np.uint8))

    def _can_show(self, region: Region) -> bool:
        """Return whether the settings suffice for `region`; log a missing setting once."""
        missing = None
        if region.mode == "mask" and self._drawn is None:
            missing = "engine.mask"
        if region.mode in ("person", "background") and self._people is None:
            missing = "engine.segmentation_model"
        if missing and region != self._logged:
            self._logged = region
            log.error("region cannot be shown, the whole picture is restyled", mode=region.mode, needs=missing)
        return missing is None

    def _mask(self, camera: Pixels, region: Region) -> "Mask":
        height, width = camera.shape[:2]
        if region.mode == "mask":
            assert self._drawn is not None
            if self._fitted is None or self._fitted.shape != (height, width):
                self._fitted = cast("Mask", cv2.resize(self._drawn, (width, height), interpolation=cv2.INTER_AREA))
            return self._fitted
        assert self._people is not None
        people = self._people(camera)
        return people if region.mode == "person" else 1 - people


def feather(mask: "Mask", width: float) -> "Mask":
    """Soften a mask's edge over `width`, a share of the mask's height."""
    sigma = width * mask.shape[0] / 2
    if sigma < 0.3:
        return mask
    return cast("Mask", cv2.GaussianBlur(mask, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE))


def _open_people(model: str | None, device: str) -> "People | None":
    if model is None:
        return None
    from sdstream.engine.people import People  # loads torch and transformers

    return People(model, device)


def _read(file: Path) -> "Mask":
    picture = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)
    if picture is None:
        raise Unavailable(f"engine.mask: cannot read {file} as a picture; give a PNG or JPEG file")
    return cast("Mask", picture.astype(np.float32) / np.float32(255))
