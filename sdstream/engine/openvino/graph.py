"""A network as a graph: converted once, compiled for each number of rows on the first call, cached on disk.

`Any` stands for OpenVINO's objects: OpenVINO has no `py.typed`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sdstream.engine import progress
from sdstream.engine.artefacts import ArtefactStore
from sdstream.engine.openvino.runtime import Compiled, Runtime
from sdstream.log import get_logger

log = get_logger()


@dataclass(frozen=True)
class NetworkSource:
    """The origin of a graph: a module, and example inputs for tracing."""

    name: str
    module: Callable[[], nn.Module]
    """Makes the module; called only for a conversion."""
    examples: tuple[Tensor, ...]
    """Inputs of a single row; each row of a call has the same shapes."""
    snippets: bool = True
    """Let OpenVINO fuse element-wise operations (SNIPPETS_MODE)."""


class Graph:
    """Runs a network; not safe for several threads. `store` is None for a network too large to cache on disk."""

    def __init__(self, runtime: Runtime, source: NetworkSource, store: ArtefactStore | None) -> None:
        self._runtime, self._source, self._store = runtime, source, store
        self._graph: Any = None
        self._compiled: dict[int, Compiled] = {}

    def run(self, inputs: Sequence[Tensor], output: np.ndarray) -> None:
        """Run on contiguous tensors of equal numbers of rows, and write into `output`."""
        self.ready(len(inputs[0])).run([tensor.numpy() for tensor in inputs], output)

    def ready(self, rows: int) -> Compiled:
        """Return the graph for `rows` rows; the first call for a number of rows compiles."""
        compiled = self._compiled.get(rows)
        if compiled is None:
            progress.step()
            compiled = self._compiled[rows] = self._restore(rows) or self._compile(rows)
        return compiled

    def _restore(self, rows: int) -> Compiled | None:
        blob = self._store.read(f"{self._source.name}-{rows}.blob") if self._store else None
        if blob is None:
            return None
        try:
            return self._runtime.restore(blob, snippets=self._source.snippets)
        except RuntimeError as error:
            reason = str(error).splitlines()[-1]
            log.warning("cached graph was compiled by a different OpenVINO or CPU: compiling again", reason=reason)
            return None

    def _compile(self, rows: int) -> Compiled:
        shapes = [(rows, *example.shape[1:]) for example in self._source.examples]
        log.info("compiling for openvino", network=self._source.name, rows=rows)
        compiled = self._runtime.compile(self._converted(), shapes, snippets=self._source.snippets)
        if self._store:
            self._store.keep(f"{self._source.name}-{rows}.blob", compiled.blob())
        return compiled

    def _converted(self) -> Any:
        if self._graph is None:
            self._graph = self._read() or self._convert()
        return self._graph

    def _read(self) -> Any:
        body = self._store.read(f"{self._source.name}.graph") if self._store else None
        return None if body is None else self._runtime.unpack(body)

    def _convert(self) -> Any:
        log.info("converting for openvino", network=self._source.name)
        # Traced with two rows: a batch of a single row may be baked in as a constant.
        two = [torch.cat((example, example)) for example in self._source.examples]  # [2, ...]
        graph = self._runtime.convert(self._source.module(), two)
        if self._store:
            self._store.keep(f"{self._source.name}.graph", self._runtime.pack(graph))
        return graph
