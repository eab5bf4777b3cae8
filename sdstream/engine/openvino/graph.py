"""A network as a graph: converted once, compiled for each number of rows, cached on disk.

A compilation takes seconds. On air, a thread compiles beside the running graphs.

`Any` stands for OpenVINO's objects: OpenVINO has no `py.typed`.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sdstream.engine.artefacts import ArtefactStore
from sdstream.engine.openvino.runtime import Compiled, Runtime
from sdstream.errors import Unavailable
from sdstream.ipc import progress
from sdstream.log import get_logger

log = get_logger()


@dataclass(frozen=True)
class NetworkSource:
    """The origin of a graph: a module, and example inputs for tracing."""

    name: str
    module: Callable[[], nn.Module]
    """Makes the module; called only for a conversion."""
    examples: tuple[Tensor, ...]
    """Inputs of a single row; each row of a call has the same shapes, but for the number of tokens."""
    snippets: bool = True
    """Let OpenVINO fuse element-wise operations (SNIPPETS_MODE)."""
    tokens: int | None = None
    """Index of the input with an axis 1 of any length (the tokens of a prompt); None without such an input."""


class Graph:
    """Runs a network; a single thread runs, and `begin` compiles in a thread of its own.

    `store` is None for a network too large to cache on disk.
    """

    def __init__(
        self, runtime: Runtime, source: NetworkSource, store: ArtefactStore | None, *, short: "Graph | None" = None
    ) -> None:
        """`short` makes a graph of the same conversion as `short` for any number of tokens."""
        self._runtime, self._source, self._store, self._short = runtime, source, store, short
        self._name = source.name if short is None else f"{source.name}-long"
        self._graph: Any = None
        self._compiled: dict[int, Compiled] = {}
        self._compiling = threading.Lock()
        self._begun: set[int] = set()
        self._failed: set[int] = set()

    def longer(self) -> "Graph":
        """Return a graph of the same network for any number of tokens."""
        return Graph(self._runtime, self._source, self._store, short=self)

    @property
    def sizes(self) -> tuple[int, ...]:
        """The numbers of rows with a graph, in increasing order."""
        return tuple(sorted(self._compiled.copy()))

    def begin(self, rows: int) -> None:
        """Compile for `rows` rows in a thread; `sizes` has the number afterwards. A second call does nothing."""
        if rows not in self._begun | self._failed and rows not in self._compiled:
            self._begun.add(rows)
            # Not a daemon: a process that leaves OpenVINO in mid-compilation aborts. Python waits for the thread
            # instead; a stage ends by `os._exit`, and waits for nothing.
            threading.Thread(target=self._compile_beside, args=(rows,), name=f"compile {self._name}").start()

    @property
    def waiting(self) -> bool:
        """Whether a thread is compiling."""
        return bool(self._begun)

    @property
    def failed(self) -> bool:
        """Whether a compilation in a thread has failed."""
        return bool(self._failed)

    def _compile_beside(self, rows: int) -> None:
        try:
            with torch.inference_mode():  # a mode of the thread
                self.ready(rows)
            log.info("compiled beside the running engine", network=self._name, rows=rows)
        except (Unavailable, RuntimeError) as error:
            log.warning("a control has no effect: no graph", network=self._name, rows=rows, reason=str(error))
            self._failed.add(rows)
        finally:
            self._begun.discard(rows)

    def run(self, inputs: Sequence[Tensor], output: np.ndarray) -> None:
        """Run on contiguous tensors of equal numbers of rows, and write into `output`."""
        self.ready(len(inputs[0])).run([tensor.numpy() for tensor in inputs], output)

    def ready(self, rows: int) -> Compiled:
        """Return the graph for `rows` rows; the first call for a number of rows compiles."""
        compiled = self._compiled.get(rows)
        if compiled is None:
            with self._compiling:
                if rows not in self._compiled:
                    progress.step()
                    self._compiled[rows] = self._restore(rows) or self._compile(rows)
                compiled = self._compiled[rows]
        return compiled

    def _restore(self, rows: int) -> Compiled | None:
        blob = self._store.read(f"{self._name}-{rows}.blob") if self._store else None
        if blob is None:
            return None
        try:
            return self._runtime.restore(blob, snippets=self._source.snippets)
        except RuntimeError as error:
            reason = str(error).splitlines()[-1]
            log.warning("cached graph was compiled by a different OpenVINO or CPU: compiling again", reason=reason)
            return None

    def _compile(self, rows: int) -> Compiled:
        tokens = None if self._short is None else self._source.tokens
        shapes = [_open((rows, *example.shape[1:]), i == tokens) for i, example in enumerate(self._source.examples)]
        log.info("compiling for openvino", network=self._name, rows=rows)
        compiled = self._runtime.compile(self._converted(), shapes, snippets=self._source.snippets)
        if self._store:
            self._store.keep(f"{self._name}-{rows}.blob", compiled.blob())
        return compiled

    def _converted(self) -> Any:
        if self._short is not None:
            with self._short._compiling:
                return self._short._converted()
        if self._graph is None:
            self._graph = self._read() or self._convert()
        return self._graph

    def _read(self) -> Any:
        body = self._store.read(f"{self._source.name}.graph") if self._store else None
        return None if body is None else self._runtime.unpack(body)

    def _convert(self) -> Any:
        log.info("converting for openvino", network=self._name)
        # Traced with two rows: a batch of a single row may be baked in as a constant.
        two = [torch.cat((example, example)) for example in self._source.examples]  # [2, ...]
        shapes = [_open((-1, *t.shape[1:]), i == self._source.tokens) for i, t in enumerate(two)]
        graph = self._runtime.convert(self._source.module(), two, shapes)
        if self._store:
            self._store.keep(f"{self._source.name}.graph", self._runtime.pack(graph))
        return graph


def _open(shape: tuple[int, ...], anyhow: bool) -> tuple[int, ...]:
    """Return `shape`, with an axis 1 of any length (-1) if `anyhow`."""
    return (shape[0], -1, *shape[2:]) if anyhow else shape
