"""CUDA's streams and events on a CPU: copies run at once, and every unordered pair of accesses to a buffer is found.

Each stream, and the host, has a vector clock. An event carries a clock from one to another. Two accesses of a buffer,
one of them a write, must be ordered by the clocks: else a real device might do the accesses in any order.
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from sdstream.engine.graph import streams

Clock = dict[str, int]


class Event:
    def __init__(self, cuda: "CudaDouble") -> None:
        self._cuda = cuda
        self.clock: Clock = {}

    def record(self, stream: "Stream") -> None:
        self.clock = dict(stream.clock)

    def synchronize(self) -> None:
        self._cuda.host.learn(self.clock)


class Stream:
    def __init__(self, name: str) -> None:
        self.name = name
        self.clock: Clock = {name: 0}

    def learn(self, clock: Clock) -> None:
        self.clock = {key: max(self.clock.get(key, 0), clock.get(key, 0)) for key in self.clock | clock}

    def wait_event(self, event: Event) -> None:
        self.learn(event.clock)

    def tick(self) -> Clock:
        self.clock[self.name] += 1
        return dict(self.clock)


class CudaDouble(TorchDispatchMode):
    """A mode: within it, copies are watched. `races` lists the unordered accesses, `copies` the copies by stream."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__()
        self.host, self._run = Stream("host"), Stream("run")
        self._now = self._run
        self._made = iter(["up", "down"])
        self._pinned: list[Tensor] = []
        self._device: set[int] = set()
        self._last: dict[int, list[tuple[str, Clock, bool]]] = {}
        self.races: list[str] = []
        self.copies: list[str] = []
        monkeypatch.setattr(streams, "_event", lambda: Event(self))
        monkeypatch.setattr(streams, "_stream", lambda: Stream(next(self._made)))
        monkeypatch.setattr(streams, "_pinned", self._pin)
        monkeypatch.setattr(torch.cuda, "current_stream", lambda: self._now)
        monkeypatch.setattr(torch.cuda, "stream", self._within)
        monkeypatch.setattr(torch.cuda, "device", lambda _: nullcontext())

    @contextmanager
    def _within(self, stream: Stream) -> Iterator[None]:
        before, self._now = self._now, stream
        yield
        self._now = before

    def _pin(self, buffer: Tensor) -> Tensor:
        self._pinned.append(torch.empty_like(buffer))
        return self._pinned[-1]

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        if func.overloadpacket.__name__ == "copy_":
            target, source = args[0].data_ptr(), args[1].data_ptr()
            self.access(self._now if {source, target} & self._device else self.host, {source: False, target: True})
        return result

    def own(self, *buffers: Tensor) -> None:
        """Tell which buffers are on the device."""
        self._device |= {buffer.data_ptr() for buffer in buffers}

    def access(self, stream: Stream, buffers: dict[int, bool]) -> None:
        """Note reads (False) and writes (True) by the next operation of `stream`."""
        if stream is not self.host:
            stream.learn(self.host.clock)  # the host launches an operation after whatever the host did before
            self.copies.append(stream.name)
        clock = stream.tick()
        for buffer, writes in buffers.items():
            for name, before, wrote in self._last.get(buffer, []):
                if (writes or wrote) and before[name] > clock.get(name, 0):
                    self.races.append(f"{name} and {stream.name}")
            self._last.setdefault(buffer, []).append((stream.name, clock, writes))
