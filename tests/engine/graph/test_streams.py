"""Pictures go up and down beside the computation, and no two streams touch a buffer in an unknown order."""

import numpy as np
import pytest
import torch

from sdstream.engine.graph.streams import CudaConveyor, HostConveyor
from tests.engine.graph.cuda_double import CudaDouble


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> CudaDouble:
    return CudaDouble(monkeypatch)


def buffers() -> tuple[torch.Tensor, torch.Tensor]:
    return torch.zeros(4, 4, 3, dtype=torch.uint8), torch.zeros(4, 4, 3, dtype=torch.uint8)


def camera(level: int) -> np.ndarray:
    return np.full((4, 4, 3), level, np.uint8)


@pytest.mark.parametrize("kind", [CudaConveyor, HostConveyor])
def test_every_picture_comes_back_and_stays_while_the_next_comes(cuda, kind):
    pixels, picture = buffers()
    conveyor = kind(pixels, picture)
    results = []
    for level in (3, 4, 5):
        results.append(conveyor(camera(level), lambda: picture.copy_(pixels + 1), wanted=True)())
        assert [int(result[0, 0, 0]) for result in results[-2:]] == [level, level + 1][-len(results) :]


@pytest.mark.parametrize("late", [0, 1, 9], ids=["at once", "late", "never"])
def test_no_two_streams_touch_a_buffer_in_an_unknown_order(cuda, late):
    pixels, picture = buffers()
    conveyor = CudaConveyor(pixels, picture)
    cuda.own(pixels, picture, *conveyor._in.device, *conveyor._out.device)
    begun = []
    with cuda:
        for level in range(7):
            begun.append((level, conveyor(camera(level), lambda: picture.copy_(pixels), wanted=level != 2)))
            if level >= late and level - late != 2:
                expected, take = begun[level - late]
                found = take()
                cuda.access(cuda.host, {found.ctypes.data: False})
                assert int(found[0, 0, 0]) == expected
    assert cuda.races == []
    assert set(cuda.copies) == {"up", "run", "down"}


def test_the_double_finds_a_missing_wait(cuda, monkeypatch):
    monkeypatch.setattr(type(cuda._run), "wait_event", lambda *_: None)
    pixels, picture = buffers()
    conveyor = CudaConveyor(pixels, picture)
    cuda.own(pixels, picture, *conveyor._in.device, *conveyor._out.device)
    with cuda:
        for level in range(4):
            conveyor(camera(level), lambda: picture.copy_(pixels), wanted=True)()
    assert set(cuda.races) >= {"up and run", "run and down"}
