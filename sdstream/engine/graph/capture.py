"""Records a step as a CUDA graph: one launch instead of a thousand. Elsewhere a step is called directly."""

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor

WARM_UPS = 3
"""Calls before the recording: libraries make handles, and choose kernels, outside of a recording only."""

Step = Callable[[], None]


class Recorder(Protocol):
    """Makes a step ready to be called frame by frame."""

    def __call__(self, step: Step, state: Sequence[Tensor]) -> Step:
        """Return the call for a frame; `state`, which `step` changes, is as before afterwards."""
        ...


def call_directly(step: Step, state: Sequence[Tensor]) -> Step:
    """Return the step itself; see `Recorder`."""
    del state
    return step


class CudaRecorder:
    """Records steps on a device. All graphs share a memory pool, because only one runs at a time."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._pool = torch.cuda.graph_pool_handle()

    def __call__(self, step: Step, state: Sequence[Tensor]) -> Step:
        """Record `step`; see `Recorder`. Takes some tenths of a second; raises RuntimeError where CUDA cannot."""
        with torch.cuda.device(self._device):
            kept = [tensor.clone() for tensor in state]
            side = torch.cuda.Stream()  # type: ignore[no-untyped-call]  # torch publishes no types
            current = torch.cuda.current_stream()
            side.wait_stream(current)
            with torch.cuda.stream(side):
                for _ in range(WARM_UPS):
                    step()
            current.wait_stream(side)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, pool=self._pool):
                step()
            for tensor, before in zip(state, kept, strict=True):
                tensor.copy_(before)
        return graph.replay


def recorder(device: torch.device) -> Recorder:
    """Return the recorder for a device."""
    return CudaRecorder(device) if device.type == "cuda" else call_directly
