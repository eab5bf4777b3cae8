"""Measures the time of a solve on the GPU."""

import numpy as np

from sdstream.stabilise.solver import gpu_solver


def gpu_seconds(side: int, count: int, runs: int = 100) -> float:
    """Return the median seconds of a solve on the GPU, measured by CUDA events. Raises Unavailable."""
    solver = gpu_solver(side, side, count)
    import torch

    rng = np.random.default_rng(0)
    b, x = rng.standard_normal((2, 3, side, side)).astype(np.float32)
    solver.load(np.full((side, side), 0.01, np.float32), b, x)
    omega = torch.tensor(1.8, device="cuda")
    solver.launch(omega)  # compiles and captures
    times = []
    for _ in range(runs):
        begin = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        end = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        begin.record()
        solver.launch(omega)
        end.record()
        end.synchronize()
        times.append(begin.elapsed_time(end) / 1e3)
    return float(np.median(times))
