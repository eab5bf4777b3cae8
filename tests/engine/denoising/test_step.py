"""A step of Stream Batch neither waits for the device, nor moves data to or from the device, nor keeps new memory."""

import gc
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from sdstream.config.engine import DiffusionSettings
from sdstream.engine.acceleration import open_model
from sdstream.engine.conditioning.condition import Condition, Embedding
from sdstream.engine.denoising.coefficients import Sampling
from sdstream.engine.denoising.guidance import RowGuidance
from sdstream.engine.denoising.schedule import Schedule
from sdstream.engine.denoising.stream_batch import Recipe, StreamBatch
from sdstream.engine.eager.unet import ConditionedUNet
from tests.engine.denoising.reference import table
from tests.harness.gpu import no_waiting

SHAPE = (4, 8, 8)
STEPS = (10, 25, 40)
MODES = ("none", "full", "self_negative", "onetime_negative")
KINDS = pytest.mark.parametrize("name", ["tiny_model", "tiny_xl_model"])
EACH_MODE = pytest.mark.parametrize("mode", MODES)


class OnDevice(TorchDispatchMode):
    """Fails where tensors of the host take part in the work of a device, whatever the direction."""

    def __init__(self, device: str) -> None:
        super().__init__()
        self.operations = 0
        self._device = device

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        self.operations += 1
        tensors = [leaf for leaf in tree_leaves((args, kwargs, result)) if isinstance(leaf, Tensor)]
        elsewhere = {str(tensor.device) for tensor in tensors} - {self._device}
        assert not elsewhere, f"{func} works on {elsewhere}, not on {self._device} alone"
        return result


def steady(folder: object, device: str, mode: str, **recipe: object) -> Callable[[], Tensor | None]:
    """Return a step of a batch that is full, on `device`."""
    unet = open_model(DiffusionSettings(model=str(folder), device="cpu")).unet.to(device)
    xl = unet.config.addition_embed_type == "text_time"
    time_ids = torch.tensor([64, 64, 0, 0, 64, 64]).to(device) if xl else None
    conditioned = ConditionedUNet(unet, time_ids=time_ids)
    prompts = [
        Embedding(
            torch.randn(77, unet.config.cross_attention_dim).to(device), torch.randn(32).to(device) if xl else None
        )
        for _ in range(2)
    ]
    noise = torch.randn(len(STEPS), *SHAPE).to(device)
    sampling = Sampling(Schedule.of(table(), STEPS), RowGuidance(mode, 1.5, 0.5), noise)
    chosen = Recipe(sampling, Condition(*prompts), **recipe)
    batch = StreamBatch(conditioned, noise, stages=len(STEPS))
    latent = torch.randn(1, *SHAPE).to(device)
    for _ in range(len(STEPS) + 1):
        batch.push(latent, chosen, None)
    return lambda: batch.push(latent, chosen, None)


@torch.inference_mode()
@KINDS
@EACH_MODE
@pytest.mark.parametrize("together", [False, True])
def test_a_step_never_asks_the_device_for_a_number_nor_sends_it_one(request, name, mode, together):
    # The meta device has shapes and no numbers: whatever would wait for one (item, nonzero, a boolean mask) raises.
    step = steady(request.getfixturevalue(name), "meta", mode, together=together)
    with OnDevice("meta") as watched:
        output = step()
    assert output is not None
    assert watched.operations > 50


@pytest.mark.parametrize("wait", [lambda x: x.sum().item(), lambda x: x[x > 0], lambda x: torch.tensor(1.0) * x])
def test_the_watch_sees_what_it_watches_for(wait):
    device = torch.randn(3).to("meta")
    with pytest.raises((AssertionError, RuntimeError, NotImplementedError)), OnDevice("meta"):
        wait(device)


def held() -> set[tuple[int, int]]:
    """Return where the memory of all living tensors is, and how much."""
    gc.collect()
    tensors = [thing for thing in gc.get_objects() if issubclass(type(thing), Tensor)]
    return {(tensor.untyped_storage().data_ptr(), tensor.untyped_storage().nbytes()) for tensor in tensors}


@torch.inference_mode()
@EACH_MODE
def test_a_step_keeps_no_memory_but_the_picture_that_it_hands_out(tiny_model, mode):
    step = steady(tiny_model, "cpu", mode, together=True)
    before = held()
    outputs = [step() for _ in range(3)]
    after = held()
    assert len(after - before) == len(outputs)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no NVIDIA GPU")
@torch.inference_mode()
@KINDS
@EACH_MODE
def test_on_a_gpu_a_step_never_waits(request, name, mode):
    step = steady(request.getfixturevalue(name), "cuda", mode, together=True)
    with no_waiting():
        assert step() is not None
