"""A diffusers U-Net as Stream Batch calls it, run by OpenVINO.

The prompt's keys and values are computed within the graph: a prompt cache (paper A.2) saved nothing that could be
measured here, and takes two inputs a layer. `Any` stands for diffusers' modules, whose attributes have no types.
"""

import itertools
from collections.abc import Sequence
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from sdstream.engine.artefacts import ArtefactStore
from sdstream.engine.conditioning.condition import Condition, Embedding
from sdstream.engine.denoising.stream_batch import Row
from sdstream.engine.openvino.graph import Graph, Source
from sdstream.engine.openvino.rows import CrossFrameUNet, PlainUNet, Waves
from sdstream.engine.openvino.runtime import Runtime
from sdstream.engine.weights.activation_ranges import Ranges

PREPARED = 4
"""Numbers of rows, from one, that are compiled before going on air: two steps in every guidance mode, or four steps
in those without negative rows. Any other number holds the picture while it is compiled, once."""


class GraphUNet:
    """Calls graphs made of `unet`, in float32. `time_ids` [6] is what SDXL wants to know of the picture's size."""

    def __init__(
        self,
        runtime: Runtime,
        unet: Any,
        shape: tuple[int, int, int],
        prompt: Embedding,
        *,
        time_ids: Tensor | None = None,
        ranges: Ranges = MappingProxyType({}),
        store: ArtefactStore | None = None,
    ) -> None:
        """`shape` is a latent's (c, h, w); `prompt` is any, for the size of prompts. `ranges`: see `int8`."""
        self._waves = Waves(unet)
        self._sizes = None if time_ids is None else self._waves.of_sizes(time_ids)
        examples = (torch.zeros(1, *shape), self._waves.of_times(torch.tensor([500])), *self._stack([prompt]))
        shifted = unet.config.get("resnet_time_scale_shift") == "scale_shift"
        light = shifted and runtime.processor.precision != "bfloat16"
        # Scale and shift behind OpenVINO's own group norms: 2026.4 crashes on putting such steps together.
        snippets = light or not shifted
        scenes = torch.tensor([0])  # [1]
        plain = Source("unet", lambda: PlainUNet(unet, ranges, light=light), examples, snippets)
        cross_frame = Source(
            "unet-together", lambda: CrossFrameUNet(unet, ranges, light=light), (scenes, *examples), snippets
        )
        self._plain, self._cross_frame = Graph(runtime, plain, store), Graph(runtime, cross_frame, store)
        self._embeddings: tuple[Embedding, ...] = ()
        self._prompts: list[Tensor] = []
        self._output = torch.empty(0, *shape)  # [rows, c, h, w]

    def prepare(self) -> None:
        """Compile for the numbers of rows that a show is likely to need."""
        for rows in range(1, PREPARED + 1):
            self._plain.ready(rows)

    def __call__(self, x: Tensor, timesteps: Tensor, rows: Sequence[Row[Condition]]) -> Tensor:
        """Run one call: x [rows, c, h, w] float32; the result is likewise, and holds until the next call."""
        self._choose([row.condition.negative if row.negative else row.condition.positive for row in rows])
        if len(self._output) != len(x):
            self._output = torch.empty_like(x)
        scenes = number_scenes(rows)
        inputs = [x.contiguous(), self._waves.of_times(timesteps), *self._prompts]
        if len(set(scenes)) == len(rows):
            self._plain.run(inputs, self._output.numpy())
        else:
            self._cross_frame.run([torch.tensor(scenes), *inputs], self._output.numpy())
        return self._output

    def _choose(self, embeddings: Sequence[Embedding]) -> None:
        chosen = tuple(embeddings)
        if chosen != self._embeddings:
            self._embeddings, self._prompts = chosen, self._stack(chosen)

    def _stack(self, embeddings: Sequence[Embedding]) -> list[Tensor]:
        """Stack prompts row by row, as the graph's inputs: tokens, then SDXL's pooled prompts and sizes."""
        tokens = torch.stack([embedding.tokens for embedding in embeddings]).float()  # [rows, tokens, dim]
        pooled = [embedding.pooled for embedding in embeddings if embedding.pooled is not None]
        if self._sizes is None or not pooled:
            return [tokens]
        sizes = self._sizes.expand(len(embeddings), -1).contiguous()  # [rows, 6 * waves]
        return [tokens, torch.stack(pooled).float(), sizes]


def number_scenes(rows: Sequence[Row[Condition]]) -> list[int]:
    """Give each row the number of its scene (0 and up), and a row without a scene a negative number of its own."""
    unshared = itertools.count(-1, -1)
    return [next(unshared) if row.scene is None else row.scene for row in rows]
