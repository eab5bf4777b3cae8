"""Brings pictures to the device and back beside the computation: upload and download have CUDA streams of their own.

Two pinned buffers and two buffers on the device each way: the upload of a picture waits for no frame before, and a
frame waits for no download. The device is told in order, and the host waits for a picture that is asked for.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, cast

import torch
from torch import Tensor

from sdstream.engine.graph.capture import Step
from sdstream.frame import Pixels

Picture = Callable[[], Pixels]
"""Waits for a picture on its way to host memory; the picture is valid until the next call of `Conveyor` but one."""


class Conveyor(Protocol):
    """The way of a frame through the device."""

    def __call__(self, camera: Pixels | None, step: Step, *, wanted: bool) -> Picture | None:
        """Begin a frame: upload `camera` (None leaves the old picture), compute, and download if `wanted`.

        `camera` is read before the call returns; the result is None unless `wanted`.
        """
        ...


class HostConveyor:
    """A `Conveyor` for a device without streams: everything happens one after the other."""

    def __init__(self, pixels: Tensor, picture: Tensor) -> None:
        """`pixels` and `picture` [H, W, 3] are the step's buffers."""
        self._pixels, self._picture = pixels, picture
        self._taken = [torch.empty(picture.shape, dtype=torch.uint8) for _ in range(2)]

    def __call__(self, camera: Pixels | None, step: Step, *, wanted: bool) -> Picture | None:
        """See `Conveyor`."""
        if camera is not None:
            self._pixels.copy_(torch.from_numpy(camera))
        step()
        return self._take if wanted else None

    def _take(self) -> Pixels:
        self._taken.reverse()
        return cast(Pixels, self._taken[0].copy_(self._picture).numpy())


@dataclass
class _Way:
    """Two buffers in host memory and on the device, with the events of the last use."""

    host: list[Tensor]
    device: list[Tensor]
    moved: list[torch.cuda.Event]
    """The copy between host and device is done."""
    free: list[torch.cuda.Event]
    """The computation has read, or written, the buffer on the device."""
    turn: int = 0

    @classmethod
    def of(cls, buffer: Tensor) -> "_Way":
        host = [_pinned(buffer) for _ in range(2)]
        device = [torch.empty_like(buffer) for _ in range(2)]
        events = [_event() for _ in range(4)]
        return cls(host, device, events[:2], events[2:])

    def next(self) -> int:
        self.turn = 1 - self.turn
        return self.turn


class CudaConveyor:
    """A `Conveyor` with an upload and a download stream; the computation runs on the caller's stream."""

    def __init__(self, pixels: Tensor, picture: Tensor) -> None:
        """`pixels` and `picture` [H, W, 3] are the step's buffers."""
        self._device, self._pixels, self._picture = pixels.device, pixels, picture
        with torch.cuda.device(self._device):
            self._up, self._down = _stream(), _stream()
            self._in, self._out = _Way.of(pixels), _Way.of(picture)

    def __call__(self, camera: Pixels | None, step: Step, *, wanted: bool) -> Picture | None:
        """See `Conveyor`."""
        with torch.cuda.device(self._device):
            if camera is not None:
                self._upload(camera)
            step()
            return self._download() if wanted else None

    def _upload(self, camera: Pixels) -> None:
        way, run = self._in, torch.cuda.current_stream()
        slot = way.next()
        way.moved[slot].synchronize()  # the upload from this pinned buffer, two frames ago
        way.host[slot].copy_(torch.from_numpy(camera))
        with torch.cuda.stream(self._up):
            self._up.wait_event(way.free[slot])
            way.device[slot].copy_(way.host[slot], non_blocking=True)
            way.moved[slot].record(self._up)
        run.wait_event(way.moved[slot])
        self._pixels.copy_(way.device[slot])  # on the device: a microsecond, and the next upload may begin
        way.free[slot].record(run)

    def _download(self) -> Picture:
        way, run = self._out, torch.cuda.current_stream()
        slot = way.next()
        run.wait_event(way.moved[slot])  # the download from this buffer, two frames ago
        way.device[slot].copy_(self._picture)
        way.free[slot].record(run)
        with torch.cuda.stream(self._down):
            self._down.wait_event(way.free[slot])
            way.host[slot].copy_(way.device[slot], non_blocking=True)
            way.moved[slot].record(self._down)
        return _Landing(way.moved[slot], way.host[slot])


@dataclass(frozen=True)
class _Landing:
    """A picture on its way to host memory."""

    done: torch.cuda.Event
    host: Tensor

    def __call__(self) -> Pixels:
        self.done.synchronize()
        return cast(Pixels, self.host.numpy())


def _pinned(buffer: Tensor) -> Tensor:
    """Return memory of the host for a copy beside the computation."""
    return torch.empty(buffer.shape, dtype=buffer.dtype, pin_memory=True)


def _event() -> torch.cuda.Event:
    return torch.cuda.Event()  # type: ignore[no-untyped-call]  # torch publishes no types


def _stream() -> torch.cuda.Stream:
    return torch.cuda.Stream()  # type: ignore[no-untyped-call]  # torch publishes no types


def conveyor(pixels: Tensor, picture: Tensor) -> Conveyor:
    """Return the conveyor between host memory and the step's buffers."""
    return (CudaConveyor if pixels.device.type == "cuda" else HostConveyor)(pixels, picture)
