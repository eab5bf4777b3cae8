"""CLIP's image encoder for IP-Adapters: from a picture to embeddings.

`Any` stands for the modules of transformers, which publish no types.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sdstream.engine.adapters.image_prompt.view import View
from sdstream.engine.weights.component import component
from sdstream.frame import Pixels


@dataclass(frozen=True)
class Encoded:
    """The embeddings of a picture."""

    pooled: Tensor  # [1, projection_dim]
    patches: Tensor  # [1, patches + 1, hidden_size], of the last layer but one


class ImageEncoder:
    """A CLIP image encoder with the encoder's own size and normalisation of pictures."""

    def __init__(self, folder: Path, device: torch.device, dtype: torch.dtype) -> None:
        """Load the encoder of a folder in transformers layout; raises Unavailable."""
        from transformers import CLIPVisionModelWithProjection

        self._net: Any = component(CLIPVisionModelWithProjection, folder, "image encoder", dtype=dtype).to(device)
        self._device, self._dtype = device, dtype
        self._view = View.of(folder, int(self._net.config.image_size))

    def __call__(self, pixels: Pixels) -> Encoded:
        """Encode a picture of any size."""
        return self._encode(self._view(pixels))

    def nothing(self) -> Encoded:
        """Return the embeddings that stand for no picture, as diffusers makes these."""
        side = int(self._net.config.image_size)
        encoded = self._encode(torch.zeros(1, 3, side, side))
        return Encoded(torch.zeros_like(encoded.pooled), encoded.patches)

    @torch.inference_mode()
    def _encode(self, x: Tensor) -> Encoded:
        found = self._net(x.to(self._device, self._dtype), output_hidden_states=True)
        return Encoded(found.image_embeds, found.hidden_states[-2])
