"""A diffusers U-Net as Stream Batch calls it, run by OpenVINO.

The prompt's keys and values are worked out within the graph: keeping them (paper A.2) saved nothing that could be
measured here, and takes two inputs a layer. `Any` stands for diffusers' modules, whose attributes have no types.
"""

from collections.abc import Sequence
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from sdstream.engine.artefacts import ArtefactStore
from sdstream.engine.conditioning.prompt import Condition, Embedding
from sdstream.engine.denoising.stream_batch import Row
from sdstream.engine.openvino.graph import Graph, Source
from sdstream.engine.openvino.rows import Alone, Together, Waves
from sdstream.engine.openvino.runtime import Runtime
from sdstream.engine.weights.activation_ranges import Ranges

PREPARED = 4
"""Numbers of rows, from one, that are compiled before going on air: two steps in every guidance mode, or four steps
in those without negative rows. Any other number holds the picture while it is compiled, once."""


class GraphUNet:
    """Calls `unet` as a graph. `time_ids` [6] is what SDXL wants to know of the picture's size."""

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
        """`shape` is a latent's, `prompt` any at all: it tells how large prompts are. `ranges`: see `int8`."""
        self._waves = Waves(unet)
        self._sizes = None if time_ids is None else self._waves.of_sizes(time_ids)
        examples = (torch.zeros(1, *shape), self._waves.of_times(torch.tensor([500])), *self._told([prompt]))
        shifted = unet.config.get("resnet_time_scale_shift") == "scale_shift"
        light = shifted and runtime.processor.precision != "bfloat16"
        # Scale and shift behind OpenVINO's own group norms: 2026.4 crashes on putting such steps together.
        snippets = light or not shifted
        scenes = torch.tensor([0])
        alone = Source("unet", lambda: Alone(unet, ranges, light=light), examples, snippets)
        together = Source("unet-together", lambda: Together(unet, ranges, light=light), (scenes, *examples), snippets)
        self._alone, self._together = Graph(runtime, alone, store), Graph(runtime, together, store)
        self._embeddings: tuple[Embedding, ...] = ()
        self._prompts: list[Tensor] = []
        self._output = torch.empty(0, *shape)

    def prepare(self) -> None:
        """Compile for the numbers of rows that a show is likely to need."""
        for rows in range(1, PREPARED + 1):
            self._alone.ready(rows)

    def __call__(self, x: Tensor, timesteps: Tensor, rows: Sequence[Row[Condition]]) -> Tensor:
        """Run one call: x [rows, c, h, w] float32; the result is likewise, and holds until the next call."""
        self._choose([row.condition.negative if row.negative else row.condition.positive for row in rows])
        if len(self._output) != len(x):
            self._output = torch.empty_like(x)
        scenes = [-1 - place if row.scene is None else row.scene for place, row in enumerate(rows)]
        inputs = [x.contiguous(), self._waves.of_times(timesteps), *self._prompts]
        if len(set(scenes)) == len(rows):
            self._alone.run(inputs, self._output.numpy())
        else:
            self._together.run([torch.tensor(scenes), *inputs], self._output.numpy())
        return self._output

    def _choose(self, embeddings: Sequence[Embedding]) -> None:
        chosen = tuple(embeddings)
        if chosen != self._embeddings:
            self._embeddings, self._prompts = chosen, self._told(chosen)

    def _told(self, embeddings: Sequence[Embedding]) -> list[Tensor]:
        """Stack prompts row by row, in the graph's order: tokens, then what SDXL gets besides."""
        told = [torch.stack([embedding.tokens for embedding in embeddings]).float()]  # [rows, tokens, dim]
        pooled = [embedding.pooled for embedding in embeddings if embedding.pooled is not None]
        if self._sizes is not None and pooled:
            told += [torch.stack(pooled).float(), self._sizes.expand(len(embeddings), -1).contiguous()]
        return told
