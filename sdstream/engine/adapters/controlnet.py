"""ControlNets: guide the U-Net by pictures computed from the camera frame (edges, depth, the unchanged frame).

`Any` stands for the modules of diffusers and transformers: neither library publishes types.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from sdstream.config.engine import ControlNetSettings
from sdstream.engine.adapters.annotators import make_annotator
from sdstream.engine.adapters.controlnet_file import load_controlnet
from sdstream.engine.adapters.controlnet_kind import condition_models, refuse_other_config, refuse_other_shapes
from sdstream.engine.adapters.controlnet_union import union_arguments
from sdstream.engine.weights.component import component
from sdstream.engine.weights.files import locate
from sdstream.engine.weights.part_configs import refuse_unless_transformers
from sdstream.engine.weights.preprocessor import Preprocessor
from sdstream.frame import Pixels

EDGE_LOW, EDGE_HIGH = 100, 200
"""Canny's thresholds in the training of the public ControlNets."""

FAR_IS_LARGE = ("glpn", "zoedepth")
"""Kinds of depth models with a depth in metres as output."""


class ControlNets:
    """The ControlNets of a U-Net, in the settings' order."""

    def __init__(self, settings: Mapping[str, ControlNetSettings], unet: Any) -> None:
        self.names = tuple(settings)
        self._dtype, self._device = unet.dtype, unet.device
        self._nets = [_load(name, controlnet, unet) for name, controlnet in settings.items()]
        self._conditions_of = tuple(controlnet.condition for controlnet in settings.values())
        self._scaled_for: tuple[tuple[float, ...], ...] = ()
        self._scales = torch.empty(0)
        self._conditions = [_condition(name, controlnet, self._device) for name, controlnet in settings.items()]

    def hint(self, pixels: Pixels) -> Tensor | None:
        """Compute every condition of a frame, or None without ControlNets.  # [nets, 3, H, W], 0..1"""
        if not self._nets:
            return None
        pictures = np.stack([condition(pixels) for condition in self._conditions])
        on_device = torch.from_numpy(pictures).to(self._device)
        return on_device.permute(0, 3, 1, 2).to(self._dtype).div_(255)

    def residuals(self, hints: Tensor, scales: Sequence[tuple[float, ...]], **call: Any) -> tuple[list[Tensor], Tensor]:
        """Return the residuals of the U-Net's down blocks and middle block: the sum over nets, scaled row by row.

        `hints` is [rows, nets, 3, H, W]; `call` has the arguments of the U-Net.
        """
        downs: list[Tensor] = []
        middle: Tensor | None = None
        if tuple(scales) != self._scaled_for:
            self._scaled_for = tuple(scales)
            self._scales = torch.tensor(scales, dtype=self._dtype, device=self._device)  # [rows, nets]
        for index, net in enumerate(self._nets):
            scale = self._scales[:, index].view(-1, 1, 1, 1)  # [rows, 1, 1, 1]
            hint = hints[:, index]  # [rows, 3, H, W]
            arguments = union_arguments(net, self._conditions_of[index], hint) or {"controlnet_cond": hint}
            own_downs, own_middle = net(**arguments, return_dict=False, **call)
            scaled = [down * scale for down in own_downs]
            downs = [a + b for a, b in zip(downs, scaled, strict=True)] if downs else scaled
            middle = own_middle * scale if middle is None else middle + own_middle * scale
        assert middle is not None, "called only with ControlNets"
        return downs, middle


def _load(name: str, settings: ControlNetSettings, unet: Any) -> Any:
    from diffusers import ControlNetModel, ControlNetUnionModel

    condition_models(name, settings)  # refuses a missing setting before the weights are read
    folder = locate(settings.model, "ControlNet")
    if folder.is_file():
        return load_controlnet(name, folder, unet, settings.condition)
    where = f"ControlNet {name!r}"
    union = refuse_other_config(folder, where, unet.config, settings.condition)
    kind = ControlNetUnionModel if union else ControlNetModel
    net = component(kind, folder, where, torch_dtype=unet.dtype).to(unet.device)
    refuse_other_shapes(net.config, unet.config, f"{where}: {folder}")  # with diffusers' defaults in place
    return net


def _condition(name: str, settings: ControlNetSettings, device: torch.device) -> Callable[[Pixels], Pixels]:
    if settings.condition == "tile":
        return lambda pixels: pixels
    if settings.condition == "canny":
        return edges
    depth_model, condition_model = condition_models(name, settings)
    if depth_model is None:
        assert condition_model is not None, "told by condition_models"
        return make_annotator(name, settings.condition, condition_model, device)
    return Depth(depth_model, device)


def edges(pixels: Pixels) -> Pixels:
    """Draw the edges of a picture, white on black."""
    lines = cv2.Canny(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), EDGE_LOW, EDGE_HIGH)
    return np.repeat(lines[..., None], 3, axis=2).astype(np.uint8, copy=False)


class Depth:
    """Depth of a picture, near is white, by a depth-estimation model in transformers layout."""

    SIDE = 384
    """Side of the model's input in pixels, for a preprocessor config without a size."""

    def __init__(self, name: str, device: torch.device) -> None:
        from transformers import AutoModelForDepthEstimation

        folder = locate(name, "depth model")
        refuse_unless_transformers(folder, "depth model")
        self._net = component(AutoModelForDepthEstimation, folder, "depth model").to(device)
        self._preprocessor = Preprocessor(folder, "depth model", self.SIDE, device)
        # Depth Pro gives the inverse of the depth, so near is large, as with MiDaS.
        metric = getattr(self._net.config, "depth_estimation_type", "relative") == "metric"  # Depth Anything only
        self._sign = -1 if metric or self._net.config.model_type in FAR_IS_LARGE else 1

    @torch.inference_mode()
    def __call__(self, pixels: Pixels) -> Pixels:
        """Return the depth as a grey picture; the nearest point is 255 and the farthest 0."""
        depth = self._sign * self._net(self._preprocessor(pixels)).predicted_depth[0].float().cpu().numpy()
        full = cv2.resize(depth, (pixels.shape[1], pixels.shape[0]), interpolation=cv2.INTER_LINEAR)
        levels = (full - full.min()) * (255 / max(1e-6, float(np.ptp(full))))
        return np.repeat(np.rint(levels).astype(np.uint8)[..., None], 3, axis=2)
