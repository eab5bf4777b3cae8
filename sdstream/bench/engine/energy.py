"""Energy of a piece of work: joules of the GPU by NVML, or CPU seconds without a GPU."""

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

import torch

from sdstream.errors import Unavailable
from sdstream.log import get_logger
from sdstream.system.installation import pip_line

log = get_logger()


class Energy:
    """Measures the `with` block. `used` stays None if the GPU's counter cannot be read; the log gives the reason."""

    def __init__(self, device: torch.device) -> None:
        self.unit = "joules" if device.type == "cuda" else "cpu_seconds"
        self.used: float | None = None
        self._began = 0.0
        self._read: Callable[[], float] | None = time.process_time
        if device.type == "cuda":
            try:
                self._read = gpu_joules(device)
            except Unavailable as error:
                log.warning("energy not measured", reason=str(error))
                self._read = None

    def __enter__(self) -> Self:
        self._began = self._read() if self._read else 0.0
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.used = self._read() - self._began if self._read else None


def gpu_joules(device: torch.device) -> Callable[[], float]:
    """Return a reader of the GPU's energy counter, in joules since the driver was loaded. Raises Unavailable."""
    try:
        import pynvml  # type: ignore[import-not-found]  # an optional package
    except ImportError as error:
        raise Unavailable(f"energy of the GPU needs NVML; type: {pip_line('nvidia-ml-py')}") from error
    try:
        pynvml.nvmlInit()
        # By UUID, not index: NVML counts all GPUs of the machine, torch the GPUs in CUDA_VISIBLE_DEVICES only.
        handle = pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{torch.cuda.get_device_properties(device).uuid}")
        pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)
    except pynvml.NVMLError as error:
        raise Unavailable(f"energy of the GPU cannot be read by NVML: {error}") from error

    def read() -> float:
        torch.cuda.synchronize(device)
        return float(pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)) / 1e3

    return read
