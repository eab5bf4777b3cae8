"""A frame waits for nothing, is a single graph, and costs a replay and a few copies."""

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from sdstream.engine.denoising.stream_batch import StreamBatch
from sdstream.engine.frames.latent_batch import LatentBatch
from sdstream.engine.graph import batches as batches_module
from sdstream.engine.graph.capture import CudaRecorder
from sdstream.engine.graph.step import FrameStep
from sdstream.engine.graph.streams import CudaConveyor
from tests.engine.graph.cuda_double import CudaDouble
from tests.engine.graph.pair import MODES
from tests.engine.graph.steady import batches, recipes

CAMERA = np.full((64, 64, 3), 90, np.uint8)
# fmt: off
NO_LAUNCH = {"view", "_unsafe_view", "expand", "permute", "transpose", "t", "slice", "select", "unsqueeze", "squeeze",
             "split", "unbind", "detach", "alias", "as_strided", "empty", "empty_like", "empty_strided", "lift_fresh"}
# fmt: on
"""Operators without work for a device."""


class Watch(TorchDispatchMode):
    """Counts the operators with work for a device, and the moves between host and device."""

    def __init__(self) -> None:
        super().__init__()
        self.launches: Counter[str] = Counter()
        self.moves: list[str] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__
        if name not in NO_LAUNCH:
            self.launches[name] += 1
        devices = {leaf.device.type for leaf in tree_leaves((args, kwargs, result)) if isinstance(leaf, Tensor)}
        if len(devices) > 1:
            self.moves.append(name)
        return result


@pytest.fixture(params=["tiny_model", "tiny_xl_model"])
def model(request):
    return request.getfixturevalue(request.param)


@torch.no_grad()
@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("mode", MODES)
def test_no_part_of_a_frame_waits_for_the_device(model, mode, together):
    # The meta device has shapes and no numbers: whatever would wait for one (item, nonzero, a boolean mask) raises.
    source = batches(model, "meta")
    batch, make = source(3), recipes(source, 3, mode, together=together)
    recipe, other = make(), make()
    for _ in range(4):
        batch.push(CAMERA, recipe, None)
    with Watch() as steady:
        batch.push(CAMERA, recipe, None)
    with Watch() as changing:
        batch.push(CAMERA, other, None)
    with Watch() as step:
        source.steps[3](source.steps[3].shapes[-1])()
    assert steady.moves == ["copy_"]  # the camera picture
    assert set(changing.moves) == {"copy_"}  # and the numbers of the new recipe
    assert step.moves == []
    assert sum(step.launches.values()) > 100


@torch.no_grad()
def test_a_recorded_frame_is_a_replay_and_five_copies_instead_of_hundreds_of_launches(tiny_model, monkeypatch):
    replays = []

    def stand_in(step: Callable[[], None], state: object) -> Callable[[], None]:
        return lambda: replays.append(step)

    cuda = CudaDouble(monkeypatch)
    monkeypatch.setattr(batches_module, "conveyor", CudaConveyor)
    source = batches(tiny_model, record=stand_in)
    batch, recipe = source(4), recipes(source, 4, "full")()
    before: StreamBatch = StreamBatch(source.apart.unet, torch.zeros(4, 8, 8), stages=4)
    separate = LatentBatch(before, source.apart.autoencoder, from_camera=True)
    for _ in range(5):
        batch.push(CAMERA, recipe, None)
        separate.push(CAMERA, recipe, None)
    with Watch() as apart:
        separate.push(CAMERA, recipe, None).picture()
    replays.clear()
    with Watch() as recorded:
        batch.push(CAMERA, recipe, None).picture()
    assert sum(apart.launches.values()) > 200
    assert (len(replays), dict(recorded.launches)) == (1, {"copy_": 5})
    assert cuda.races == []


@torch.no_grad()
@pytest.mark.parametrize(("mode", "together"), [("none", False), ("onetime_negative", True), ("full", True)])
def test_a_step_is_a_single_graph_without_breaks(model, mode, together):
    source = batches(model)
    batch, make = source(3), recipes(source, 3, mode, together=together)
    for _ in range(3):
        batch.push(CAMERA, make(), None)
    shape = source.steps[3].shapes[-1]
    assert shape.together == together
    told = torch._dynamo.explain(FrameStep(source._function(shape), source.steps[3]._tables, shape).step)()
    assert (told.graph_count, told.graph_break_count) == (1, 0)


@torch.no_grad()
def test_a_prompt_a_seed_and_guidance_are_copies_and_no_new_recording(tiny_model):
    source = batches(tiny_model)
    batch = source(3)
    for mode in MODES * 2:
        make = recipes(source, 3, mode)
        for _ in range(4):
            batch.push(CAMERA, make(), None)
        batch.skip(None)
    rows = Counter(shape.rows for shape in source.steps[3].shapes)
    assert rows == {3: 1, 4: 1, 6: 1}


@torch.no_grad()
def test_only_the_rows_that_changed_are_written(tiny_model):
    source = batches(tiny_model)
    batch, make = source(3), recipes(source, 3, "none")
    old, new = make(), make()
    for _ in range(4):
        batch.push(CAMERA, old, None)
    tables = source.steps[3]._tables
    written = []
    for _ in range(4):
        before = tables.prompts(1).clone()
        batch.push(CAMERA, new, None)
        changed = (tables.prompts(1) != before).flatten(1).any(1)
        written.append(changed.nonzero().flatten().tolist())
    assert written == [[0], [1], [2], []]


class FakeGraph:
    """A CUDA graph that replays by calling."""

    def __init__(self) -> None:
        self.step: Callable[[], None] | None = None

    def replay(self) -> None:
        assert self.step is not None
        self.step()


@torch.no_grad()
def test_a_recording_in_mid_air_leaves_the_frames_in_flight_alone(monkeypatch):
    class Stream:
        def wait_stream(self, other: object) -> None:
            pass

    class Within:
        def __init__(self, *_: object, **__: object) -> None: ...
        def __enter__(self) -> None: ...
        def __exit__(self, *_: object) -> None: ...

    for name, double in {"graph_pool_handle": lambda: 0, "Stream": Stream, "current_stream": Stream, "device": Within,
                         "stream": Within, "CUDAGraph": FakeGraph, "graph": Within}.items():  # fmt: skip
        monkeypatch.setattr(torch.cuda, name, double)
    state = torch.tensor([1.0, 2.0])
    CudaRecorder(torch.device("cuda"))(lambda: state.mul_(2), (state,))
    assert state.tolist() == [1.0, 2.0]
