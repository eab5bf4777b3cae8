"""IP-Adapters: pictures as prompts (arXiv 2308.06721). A picture becomes tokens, read by extra keys and values in each
cross-attention layer.

The picture is a file, encoded once, or the camera picture, encoded a bounded number of times a second. `Any` stands for
diffusers' modules: diffusers publishes no types.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from sdstream.config.engine import IpAdapterSettings
from sdstream.engine.adapters.image_prompt.adapter_file import AdapterWeights, Matrices, read_ip_adapter
from sdstream.engine.adapters.image_prompt.encoder_folder import locate_encoder
from sdstream.engine.adapters.image_prompt.header import refuse_other_encoder
from sdstream.engine.adapters.image_prompt.image_encoder import Encoded, ImageEncoder
from sdstream.engine.conditioning.condition import Embedding, ImagePrompt
from sdstream.errors import Unavailable
from sdstream.frame import Pixels
from sdstream.log import get_logger

log = get_logger()

LIVE = "live"
"""The picture of an adapter that reads the camera picture."""


@dataclass
class _Camera:
    """The camera as a picture, for all adapters with the same image encoder and rate."""

    encoder: ImageEncoder
    seconds: float
    """Least time between two pictures."""
    adapters: list[int]
    """Indices in `IpAdapters.names`."""
    last: float | None = None
    """Time of the last picture; None before the first."""

    def due(self, now: float, scales: Sequence[float]) -> bool:
        """Return whether a picture is due at `now` (seconds), for weights by adapter."""
        used = any(scales[index] for index in self.adapters)
        return used and (self.last is None or now - self.last >= self.seconds)


class IpAdapters:
    """The IP-Adapters of a U-Net, in the settings' order."""

    def __init__(self, settings: Mapping[str, IpAdapterSettings], unet: Any) -> None:
        """Load the adapters, and encode the picture files; raises Unavailable with adapter, file and reason."""
        self.names = tuple(settings)
        self._weights = [read_ip_adapter(name, adapter, unet) for name, adapter in settings.items()]
        self._cameras: list[_Camera] = []
        self._nothing: list[ImagePrompt] = []
        encoders: dict[Path, ImageEncoder] = {}
        pictures: list[ImagePrompt] = []
        for index, (name, adapter) in enumerate(settings.items()):
            encoder = _encoder(name, adapter, self._weights[index], encoders, unet)
            negative = _project(self._weights[index], encoder.nothing())
            self._nothing.append(ImagePrompt(negative, negative))
            if adapter.picture == LIVE:
                self._watch(encoder, adapter.rate, index)
                pictures.append(self._nothing[index])
            else:
                positive = _project(self._weights[index], encoder(_read(Path(adapter.picture), name)))
                pictures.append(ImagePrompt(positive, negative))
        self._start = self._now = tuple(pictures)

    @property
    def layers(self) -> dict[str, list[Matrices]]:
        """The matrices of each adapter, by the name of the attention processor; empty without adapters."""
        places = self._weights[0].layers if self._weights else {}
        return {place: [weights.layers[place] for weights in self._weights] for place in places}

    def at(self, now: float, camera: Pixels, scales: Sequence[float]) -> tuple[ImagePrompt, ...]:
        """Return the pictures for a frame entering at `now` (seconds): the same object while no picture changes.

        The camera picture is encoded when due, and only for adapters with a weight. After the first picture, a frame
        waits for a single image encoder at most.
        """
        due = [view for view in self._cameras if view.due(now, scales)]
        first = [view for view in due if view.last is None]
        for view in first or sorted(due, key=lambda view: view.last or 0.0)[:1]:
            encoded, view.last = view.encoder(camera), now
            pictures = list(self._now)
            for index in view.adapters:
                positive = _project(self._weights[index], encoded)
                pictures[index] = ImagePrompt(positive, self._nothing[index].negative)
            self._now = tuple(pictures)
        return self._now

    def time_encoders(self, clock: Callable[[], float]) -> float:
        """Encode a grey picture by each image encoder that is used on air; return the longest time in seconds.

        `clock` gives seconds. The first picture is not timed, because libraries prepare themselves.
        """
        longest = 0.0
        for view in self._cameras:
            grey = np.full((512, 512, 3), 128, np.uint8)
            view.encoder(grey).pooled.cpu()  # waits for the device
            began = clock()
            view.encoder(grey).pooled.cpu()
            seconds = clock() - began
            names = ", ".join(self.names[index] for index in view.adapters)
            log.info("camera as a prompt", ip_adapters=names, every=view.seconds, encoding=round(seconds, 3))
            longest = max(longest, seconds)
        return longest

    def restart(self) -> None:
        """Forget the camera pictures."""
        self._now = self._start
        for view in self._cameras:
            view.last = None

    def _watch(self, encoder: ImageEncoder, rate: float, index: int) -> None:
        for view in self._cameras:
            if view.encoder is encoder and view.seconds == 1 / rate:
                view.adapters.append(index)
                return
        self._cameras.append(_Camera(encoder, 1 / rate, [index]))


def _encoder(
    name: str, settings: IpAdapterSettings, weights: AdapterWeights, encoders: dict[Path, ImageEncoder], unet: Any
) -> ImageEncoder:
    """Return the image encoder of an adapter; adapters with the same folder share an encoder."""
    setting = f"engine.ip_adapters.{name}"
    found = locate_encoder(settings, weights.file, setting)
    refuse_other_encoder(weights.layout, found, weights.where, setting)
    folder = found.folder.resolve()
    if folder not in encoders:
        encoders[folder] = ImageEncoder(found.folder, unet.device, unet.dtype)
    return encoders[folder]


def _read(file: Path, name: str) -> Pixels:
    picture = cv2.imread(str(file.expanduser()), cv2.IMREAD_COLOR)
    if picture is None:
        raise Unavailable(
            f"engine.ip_adapters.{name}.picture: cannot read {file} as a picture; give a PNG or JPEG file, or live"
        )
    return np.ascontiguousarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False))


@torch.inference_mode()
def _project(weights: AdapterWeights, encoded: Encoded) -> Embedding:
    """Turn the embeddings of a picture into tokens for the U-Net."""
    found = encoded.pooled if weights.layout.kind == "base" else encoded.patches
    return Embedding(weights.projection(found)[0])  # [tokens, width]
