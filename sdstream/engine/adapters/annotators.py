"""Pictures for ControlNets by models of one's own: soft edges, lines, scribbles, normals and poses.

A model is an `.onnx` file, run by OpenCV on the CPU, or a folder in transformers layout. The model's size, scale and
normalisation stand in a `preprocessor_config.json` beside the weights. `Any` stands for the objects of OpenCV and
transformers: neither publishes usable types.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch

from sdstream.engine.adapters.controlnet_kind import annotator_file
from sdstream.engine.adapters.pose import draw_pose
from sdstream.engine.weights.component import component
from sdstream.engine.weights.files import locate, read_config
from sdstream.engine.weights.preprocessor import Preprocessor
from sdstream.errors import Unavailable
from sdstream.frame import Pixels

Maps = npt.NDArray[np.float32]
"""(channels, height, width)."""

Annotator = Callable[[Pixels], Pixels]

SIDE = 512
"""Side of the model's input in pixels, for a preprocessor config without a size."""

SCRIBBLE = 0.5
"""Least strength of a line in a scribble, from 0 to 1."""

LARGEST = 1e30
"""Beyond all sensible numbers: OpenCV 5 gives 3.4e38 for NaN."""

CHANNELS = {"hed": (1,), "lineart": (1,), "scribble": (1,), "normal": (3,), "openpose": (17, 18)}
"""Condition -> numbers of channels of a fitting model; a pose has a map for each point of the body."""


def make_annotator(name: str, condition: str, model: str, device: torch.device) -> Annotator:
    """Make the pictures of `condition` by the model `model`; raises Unavailable with the ControlNet's name."""
    where = f"ControlNet {name!r}: condition model"
    path = locate(model, where)
    file = annotator_file(path, condition, where)
    maps = _of_transformers(file, where, device) if file.is_dir() else _of_onnx(file, where)
    found = _try(maps, where).shape[0]
    if found not in CHANNELS[condition]:
        expected = " or ".join(map(str, CHANNELS[condition]))
        raise Unavailable(
            f"{where} {path} gives {found} channels: expected {expected} for condition {condition}; choose a different "
            "model"
        )
    return lambda pixels: _picture(condition, maps(pixels), pixels.shape[:2])


def _try(maps: Callable[[Pixels], Maps], where: str) -> Maps:
    """Run once before going on air; raises Unavailable for a model that does not take or give pictures."""
    try:
        found = maps(np.zeros((64, 64, 3), np.uint8))
    except (cv2.error, RuntimeError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise Unavailable(f"{where} does not run on a picture: {str(error).strip().splitlines()[-1]}") from error
    if found.ndim != 3 or not (np.abs(found) < LARGEST).all():  # False for NaN too
        raise Unavailable(f"{where} gives an array of {found.shape}: expected finite numbers (channels, height, width)")
    return found


def _of_onnx(file: Path, where: str) -> Callable[[Pixels], Maps]:
    try:
        net: Any = cv2.dnn.readNetFromONNX(str(file))
    except cv2.error as error:
        reason = str(error).strip().splitlines()[-1]
        raise Unavailable(f"{where}: {file} cannot be loaded by OpenCV: {reason}") from error
    preprocessor = Preprocessor(file.parent, where, SIDE, torch.device("cpu"))
    last = net.getUnconnectedOutLayersNames()[-1]  # HED gives the joined edges last

    def run(pixels: Pixels) -> Maps:
        net.setInput(preprocessor(pixels).float().contiguous().numpy())
        found: Maps = net.forward(last)[0]
        return found

    return run


def _of_transformers(folder: Path, where: str, device: torch.device) -> Callable[[Pixels], Maps]:
    import transformers

    name = read_config(folder / "config.json", where)["architectures"][0]
    net = component(getattr(transformers, name), folder, where).to(device)  # the class is named by the file
    preprocessor = Preprocessor(folder, where, SIDE, device)

    @torch.inference_mode()
    def run(pixels: Pixels) -> Maps:
        found: Maps = net(preprocessor(pixels)).heatmaps[0].float().cpu().numpy()
        return found

    return run


def _picture(condition: str, maps: Maps, size: tuple[int, ...]) -> Pixels:
    """Draw the picture of a condition, of `size` (height, width), as the public ControlNets were trained."""
    if condition == "openpose":
        return draw_pose(maps, (size[0], size[1]))
    planes = maps.transpose(1, 2, 0)  # (h, w, channels)
    full = cv2.resize(planes, (size[1], size[0]), interpolation=cv2.INTER_LINEAR)
    if condition == "normal":
        length = np.linalg.norm(full, axis=2, keepdims=True)
        normals: Pixels = np.rint((full / np.maximum(length, 1e-6) + 1) * 127.5).astype(np.uint8)
        return normals
    lines = _lines(full)
    if condition == "scribble":
        lines = (lines >= SCRIBBLE).astype(np.float32)
    return np.repeat(np.rint(lines * 255).astype(np.uint8)[..., None], 3, axis=2)


def _lines(found: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return lines from 0 to 1, bright on dark; numbers beyond 0 to 1 are logits, and lines are rarer than the rest."""
    lines = found if found.min() >= -0.01 and found.max() <= 1.01 else 1 / (1 + np.exp(-found.clip(-30, 30)))
    clipped = lines.clip(0, 1)
    return (1 - clipped if clipped.mean() > 0.5 else clipped).astype(np.float32)
