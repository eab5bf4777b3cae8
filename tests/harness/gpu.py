"""A guard against waits for the GPU."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_waiting() -> Iterator[None]:
    """Make PyTorch raise RuntimeError where the host waits for the GPU, until the end of the block."""
    import torch

    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")
