"""A diffusers U-Net for the calls of Stream Batch, run by OpenVINO.

The graph computes the prompt's keys and values. A prompt cache (paper A.2) saved no measurable time here, and needs two
inputs a layer. `Any` stands for diffusers' modules: the attributes have no static types.
"""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from sdstream.engine.artefacts import ArtefactStore
from sdstream.engine.bounded_cache import BoundedCache
from sdstream.engine.conditioning.condition import Condition, Embedding, by_length
from sdstream.engine.denoising.stream_batch import Row
from sdstream.engine.openvino.graph import Graph, NetworkSource
from sdstream.engine.openvino.rows import CrossFrameUNet, PlainUNet, Sinusoids
from sdstream.engine.openvino.runtime import Runtime
from sdstream.engine.weights.activation_ranges import Ranges

PREPARED = 4
"""Graphs for 1 to PREPARED rows are compiled before going on air: enough for two steps in every guidance mode, or for
four steps without negative rows. Further graphs are compiled on demand, on air beside the running graphs."""


class GraphUNet:
    """Calls graphs of `unet`, with float32 inputs. `time_ids` [6] is SDXL's description of the picture's size."""

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
        """Prepare both graphs. `shape` is a latent's (c, h, w), `prompt` any prompt; for `ranges` see `int8`."""
        self._sinusoids = Sinusoids(unet)
        self._sizes = None if time_ids is None else self._sinusoids.of_sizes(time_ids)
        examples = (torch.zeros(1, *shape), self._sinusoids.of_times(torch.tensor([500])), *self._stack([prompt]))
        shifted = unet.config.get("resnet_time_scale_shift") == "scale_shift"
        light = shifted and runtime.processor.precision != "bfloat16"
        # OpenVINO 2026.4 crashes on fusing the scale and shift behind OpenVINO's own group norm.
        snippets = light or not shifted
        scenes = torch.tensor([0])  # [1]
        plain = NetworkSource("unet", lambda: PlainUNet(unet, ranges, light=light), examples, snippets, tokens=2)
        cross_frame = NetworkSource(
            "unet-together", lambda: CrossFrameUNet(unet, ranges, light=light), (scenes, *examples), snippets, tokens=3
        )
        self._plain, self._cross_frame = Graph(runtime, plain, store), Graph(runtime, cross_frame, store)
        # For prompts of several stretches; a fixed number of tokens is faster, and most prompts are short.
        self._long_plain, self._long_cross_frame = self._plain.longer(), self._cross_frame.longer()
        self._stretch = len(prompt.tokens)
        self._first: BoundedCache[Embedding, Embedding] = BoundedCache(16)
        self._embeddings: tuple[Embedding, ...] = ()
        self._prompts: list[Tensor] = []
        self._output = torch.empty(0, *shape)  # [rows, c, h, w]

    def prepare(self) -> None:
        """Compile for 1 to PREPARED rows."""
        for rows in range(1, PREPARED + 1):
            self._plain.ready(rows)

    def demand(self, rows: int, *, together: bool, long: bool, wait: bool) -> None:
        """Compile for calls of `rows` rows: now, or beside the running graphs without `wait`."""
        plain, cross_frame = (self._long_plain, self._long_cross_frame) if long else (self._plain, self._cross_frame)
        graph = cross_frame if together else plain
        if wait:
            graph.ready(rows)
        else:
            graph.begin(rows)

    @property
    def preparing(self) -> str:
        """The graphs being compiled beside the running graphs, in words; empty without such a graph."""
        waiting = {
            "cross-frame attention": self._cross_frame.waiting,
            "more U-Net rows": self._plain.waiting,
            "a long prompt": self._long_plain.waiting or self._long_cross_frame.waiting,
        }
        return ", ".join(name for name, busy in waiting.items() if busy)

    def __call__(self, x: Tensor, timesteps: Tensor, rows: Sequence[Row[Condition]]) -> Tensor:
        """Run the U-Net on x [rows, c, h, w] float32. The result is of the same shape, valid until the next call.

        Without a graph for cross-frame attention, which `demand` prepares, each row has its own attention. Without a
        graph for long prompts, the first stretch is read. Rows with prompts of different lengths do not see each other.
        """
        prompts = self._readable([row.condition.negative if row.negative else row.condition.positive for row in rows])
        if len(self._output) != len(x):
            self._output = torch.empty_like(x)
        groups = by_length(prompts)
        scenes, times = number_scenes(rows), self._sinusoids.of_times(timesteps)
        if len(groups) == 1:
            self._run_alike(x.contiguous(), times, prompts, scenes, self._output)
            return self._output
        for group in groups:
            part = torch.empty(len(group), *x.shape[1:])  # [rows of the group, c, h, w]
            self._run_alike(x[group], times[group], [prompts[i] for i in group], [scenes[i] for i in group], part)
            self._output[group] = part
        return self._output

    def _readable(self, prompts: Sequence[Embedding]) -> list[Embedding]:
        """Return the prompts as far as there are graphs: the first stretches only while a graph is being compiled."""
        long = sum(len(prompt.tokens) != self._stretch for prompt in prompts)
        plain, cross_frame = self._long_plain, self._long_cross_frame
        begun = plain.waiting or cross_frame.waiting or plain.failed or cross_frame.failed
        if not long or not begun or plain.sizes or max(cross_frame.sizes, default=0) >= long:
            return list(prompts)
        return [
            prompt if len(prompt.tokens) == self._stretch else self._first.get(prompt, partial(self._begin, prompt))
            for prompt in prompts
        ]

    def _begin(self, prompt: Embedding) -> Embedding:
        return replace(prompt, tokens=prompt.tokens[: self._stretch])

    def _run_alike(
        self, x: Tensor, times: Tensor, prompts: Sequence[Embedding], scenes: Sequence[int], output: Tensor
    ) -> None:
        """Run rows with equally long prompts, and write `output` [rows, c, h, w]."""
        self._choose(prompts)
        plain, cross_frame = self._graphs(len(prompts[0].tokens))
        inputs = [x, times, *self._prompts]
        size = min((size for size in cross_frame.sizes if size >= len(x)), default=None)
        if size is not None and (len(set(scenes)) < len(x) or not plain.sizes):
            # The numbers of padding rows are below the numbers of rows without a scene.
            lowest = min(scenes)
            alone = [min(lowest, 0) - 1 - i for i in range(size - len(x))]
            _run(cross_frame, [torch.tensor([*scenes, *alone]), *inputs], output, size)
            return
        for start, end, padded in split(len(x), plain.sizes):
            _run(plain, [tensor[start:end] for tensor in inputs], output[start:end], padded)

    def _graphs(self, tokens: int) -> tuple[Graph, Graph]:
        """Return the graphs for prompts of `tokens` tokens; a graph for long prompts runs short prompts as well."""
        plain, cross_frame = self._plain, self._cross_frame
        if tokens != self._stretch or (self._long_plain.sizes and not plain.sizes):
            plain = self._long_plain
        if tokens != self._stretch or (self._long_cross_frame.sizes and not cross_frame.sizes):
            cross_frame = self._long_cross_frame
        return plain, cross_frame

    def _choose(self, embeddings: Sequence[Embedding]) -> None:
        chosen = tuple(embeddings)
        if chosen != self._embeddings:
            self._embeddings, self._prompts = chosen, self._stack(chosen)

    def _stack(self, embeddings: Sequence[Embedding]) -> list[Tensor]:
        """Stack prompts row by row, as inputs of the graph: tokens, then SDXL's pooled prompts and sizes."""
        tokens = torch.stack([embedding.tokens for embedding in embeddings]).float()  # [rows, tokens, dim]
        pooled = [embedding.pooled for embedding in embeddings if embedding.pooled is not None]
        if self._sizes is None or not pooled:
            return [tokens]
        sizes = self._sizes.expand(len(embeddings), -1).contiguous()  # [rows, 6 * sinusoids]
        return [tokens, torch.stack(pooled).float(), sizes]  # [rows, tokens, dim], [rows, dim], [rows, 6 * sinusoids]


def split(rows: int, sizes: Sequence[int]) -> list[tuple[int, int, int]]:
    """Split `rows` rows into calls of the given sizes: (first row, last row (exclusive), size) for each call.

    A call with fewer rows than the size is padded. The calls have as few rows as possible. Without sizes there is a
    single call of exactly `rows` rows.
    """
    larger = [size for size in sizes if size >= rows]
    if not sizes or rows in larger:
        return [(0, rows, rows)]
    calls, start = [], 0
    while start < rows:
        size = max((size for size in sizes if size <= rows - start), default=min(sizes))
        calls.append((start, min(rows, start + size), size))
        start += size
    return [(0, rows, min(larger))] if larger and min(larger) <= sum(size for *_, size in calls) else calls


def _run(graph: Graph, inputs: Sequence[Tensor], output: Tensor, size: int) -> None:
    """Run `graph` on `size` rows, padded by the last row where an input has fewer; write the rows of `output`."""
    rows = len(output)
    if size == rows:
        graph.run(inputs, output.numpy())
        return
    padded = [_pad(tensor, size) for tensor in inputs]
    result = torch.empty(size, *output.shape[1:])  # [size, c, h, w]
    graph.run(padded, result.numpy())
    output.copy_(result[:rows])


def _pad(tensor: Tensor, size: int) -> Tensor:
    return torch.cat((tensor, tensor[-1:].expand(size - len(tensor), *tensor.shape[1:])))  # [size, ...]


def number_scenes(rows: Sequence[Row[Condition]]) -> list[int]:
    """Return the scene number of each row: 0 and up, or a unique negative number for a row without a scene."""
    unshared = itertools.count(-1, -1)
    return [next(unshared) if row.scene is None else row.scene for row in rows]
