"""Energy of a stretch of work: joules of the GPU by NVML, or processor seconds where there is none."""

import time
from types import TracebackType
from typing import Self

import torch

from sdstream.errors import Unavailable


class Energy:
    """Counts between `with` and its end."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self.unit = "joules" if device.type == "cuda" else "cpu_seconds"
        self.used = 0.0

    def __enter__(self) -> Self:
        self.used = -self._read()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.used += self._read()

    def _read(self) -> float:
        if self._device.type != "cuda":
            return time.process_time()
        torch.cuda.synchronize(self._device)
        try:
            import pynvml  # type: ignore[import-not-found]  # an optional package
        except ImportError as error:
            raise Unavailable("energy of the GPU needs NVML: pip install nvidia-ml-py") from error
        pynvml.nvmlInit()
        handle = pynvml.nvmlDeviceGetHandleByIndex(self._device.index or 0)
        return float(pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)) / 1e3
