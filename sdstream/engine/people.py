"""Finds people in a picture with a semantic segmentation model.

`Any` stands for the modules of transformers: transformers publishes no types.
"""

from typing import Any, cast

import cv2
import numpy as np
import numpy.typing as npt
import torch

from sdstream.engine.models import choose_device
from sdstream.engine.weights.component import component
from sdstream.engine.weights.files import locate
from sdstream.engine.weights.part_configs import person_label, refuse_unless_transformers
from sdstream.engine.weights.preprocessor import Preprocessor
from sdstream.frame import Pixels

Mask = npt.NDArray[np.float32]
"""(height, width), 0..1; 1 is restyled."""


class People:
    """Masks of people, by a semantic segmentation model with a label `person`."""

    SIDE = 256
    """Side of the model's input in pixels, for a model without a preprocessor config."""

    def __init__(self, name: str, device: str) -> None:
        """Load the model `name` onto `device`, as the settings name both; raises Unavailable."""
        from transformers import AutoModelForSemanticSegmentation

        folder = locate(name, "segmentation model")
        self._person = person_label(refuse_unless_transformers(folder, "segmentation model"), folder)
        self._device = choose_device(device)
        self._preprocessor = Preprocessor(folder, "segmentation model", self.SIDE, self._device)
        net = component(AutoModelForSemanticSegmentation, folder, "segmentation model")
        self._net: Any = net.to(self._device)

    @torch.inference_mode()
    def __call__(self, pixels: Pixels) -> Mask:
        """Return the probability of a person at each pixel; `pixels` (height, width, 3)."""
        shares = self._net(self._preprocessor(pixels)).logits.float().softmax(1)[0, self._person].cpu().numpy()
        height, width = pixels.shape[:2]
        return cast(Mask, cv2.resize(shares, (width, height), interpolation=cv2.INTER_LINEAR).clip(0, 1))
