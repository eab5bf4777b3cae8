"""OpenVINO itself: loaded without telemetry, and configured for the lowest latency of a picture.

`Any` stands for OpenVINO's objects: OpenVINO has no `py.typed`.
"""

import sys
import tempfile
import warnings
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from sdstream.engine.weights.component import LoadErrors
from sdstream.errors import Unavailable
from sdstream.system.installation import extra_line


def load_openvino() -> Any:
    """Import OpenVINO; raises Unavailable.

    OpenVINO's telemetry reports each import and conversion to a web address unless the user has opted out. With None in
    `sys.modules`, Python treats the telemetry as not installed, and OpenVINO reports nothing.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # None makes the import fail
    try:
        import openvino
    except ImportError as error:
        raise Unavailable(
            f"OpenVINO cannot be loaded ({error}); type: {extra_line('openvino')}, or use engine.acceleration: eager"
        ) from error
    return openvino


@cache
def capabilities() -> tuple[str, ...]:
    """Return the capabilities of this CPU by OpenVINO's names, such as BF16; raises Unavailable."""
    return tuple(load_openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"))


def computes_in(dtype: Literal["bfloat16", "int8"]) -> bool:
    """Return whether OpenVINO computes in `dtype` on this CPU; raises Unavailable."""
    return _CAPABILITIES[dtype] in capabilities()


Precision = Literal["float32", "bfloat16", "int8"]
"""The format of the arithmetic. int8 is for convolutions with activation ranges; the rest computes in float32 then."""

_CAPABILITIES = {"bfloat16": "BF16", "int8": "INT8"}
"""OpenVINO's names of number formats."""


def choose_precision(dtype: str, supported: Collection[str], *, int8: bool) -> Precision:
    """Return the format of the arithmetic. `auto` prefers bfloat16, made for networks, then int8 if allowed."""
    if dtype in ("auto", "bfloat16") and _CAPABILITIES["bfloat16"] in supported:
        return "bfloat16"
    return "int8" if dtype in ("auto", "int8") and int8 and _CAPABILITIES["int8"] in supported else "float32"


def precision_here(dtype: str, *, int8: bool) -> Precision:
    """Return the format of the arithmetic on this CPU; `int8` allows int8. Raises Unavailable."""
    return choose_precision(dtype, capabilities(), int8=int8)


@dataclass(frozen=True)
class Processor:
    """The target of a compilation, and a part of the cache key."""

    openvino: str
    name: str
    capabilities: tuple[str, ...]
    precision: Precision
    threads: int


class Runtime:
    """Converts, compiles and restores graphs. `dtype` is auto, float32, bfloat16 or int8."""

    def __init__(self, dtype: str, threads: int, *, int8: bool = False) -> None:
        """Load OpenVINO; raises Unavailable. `int8` allows int8, for a model with activation ranges."""
        self._openvino = load_openvino()
        self._core = self._openvino.Core()
        precision = precision_here(dtype, int8=int8)
        name = self._core.get_property("CPU", "FULL_DEVICE_NAME")
        self.processor = Processor(self._openvino.__version__, name, capabilities(), precision, threads)
        self._config: dict[str, object] = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "bf16" if precision == "bfloat16" else "f32",
            "INFERENCE_NUM_THREADS": threads,
            # A thread pinned to a core would wait for the sinks and the source on the same core.
            "ENABLE_CPU_PINNING": False,
        }

    def convert(self, module: nn.Module, examples: Sequence[Tensor], shapes: Sequence[Sequence[int]]) -> Any:
        """Turn a module into a graph for inputs of `shapes`; -1 stands for any number.

        Raises Unavailable for a module beyond OpenVINO's converter.
        """
        refusals = (*LoadErrors, self._openvino.frontend.OpConversionFailure)
        try:
            with warnings.catch_warnings(), torch.no_grad():
                warnings.simplefilter("ignore")  # tracing warns of fixed sizes: the sizes are fixed for a run
                graph = self._openvino.convert_model(module.eval(), example_input=tuple(examples))
            graph.reshape({index: list(shape) for index, shape in enumerate(shapes)})
        except refusals as error:
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise Unavailable(
                f"OpenVINO cannot convert the model ({reason}); use engine.acceleration: eager"
            ) from error
        return graph

    def compile(self, graph: Any, shapes: Sequence[Sequence[int]], *, snippets: bool = True) -> "Compiled":
        """Compile a copy of `graph` for `shapes`; -1 stands for any number. Fixed shapes run faster."""
        fixed = graph.clone()
        fixed.reshape({index: list(shape) for index, shape in enumerate(shapes)})
        return Compiled(self._openvino, self._core.compile_model(fixed, "CPU", self._options(snippets)))

    def restore(self, blob: bytes, *, snippets: bool = True) -> "Compiled":
        """Load the bytes of `Compiled.blob`. Raises RuntimeError for bytes of a different OpenVINO or CPU."""
        return Compiled(self._openvino, self._core.import_model(blob, "CPU", self._options(snippets)))

    def _options(self, snippets: bool) -> dict[str, object]:
        return self._config if snippets else self._config | {"SNIPPETS_MODE": "DISABLE"}

    def pack(self, graph: Any) -> bytes:
        """Return a graph as bytes: the length of the XML (8 bytes, little-endian), the XML, and the weights."""
        with tempfile.TemporaryDirectory() as folder:
            xml = Path(folder) / "graph.xml"
            self._openvino.save_model(graph, xml, compress_to_fp16=False)
            text, weights = xml.read_bytes(), xml.with_suffix(".bin").read_bytes()
        return len(text).to_bytes(8, "little") + text + weights

    def unpack(self, body: bytes) -> Any:
        """Return the graph in the bytes of `pack`."""
        end = 8 + int.from_bytes(body[:8], "little")
        return self._core.read_model(body[8:end], body[end:])


class Compiled:
    """A graph ready to run on the caller's arrays, without copies of inputs or output."""

    def __init__(self, openvino: Any, model: Any) -> None:
        self._openvino, self._model = openvino, model
        self._request = model.create_infer_request()
        self._held: tuple[object, ...] = ()

    def blob(self) -> bytes:
        """Return the graph as bytes, for this CPU and this version of OpenVINO only."""
        written: bytes = self._model.export_model().read()
        return written

    def run(self, inputs: Sequence[npt.NDArray[np.generic]], output: npt.NDArray[np.generic]) -> None:
        """Run on contiguous arrays, and write into `output`."""
        for index, array in enumerate(inputs):
            self._request.set_input_tensor(index, self._openvino.Tensor(array, shared_memory=True))
        self._request.set_output_tensor(0, self._openvino.Tensor(output, shared_memory=True))
        self._held = (*inputs, output)  # keeps the arrays alive: the request holds addresses only
        self._request.infer()
